# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest: the incident's load on each server in turn. Prints a line of JSON for each run.
#
# $SERVICE_NS, $OBJECTIVE (ms), $SECONDS_HEALTHY, $SECONDS_OVERLOAD
set -e
# shellcheck source=selftests/bench/bench-net.sh
. /bench-net.sh

# load RATE SECONDS: what the client saw, as JSON
load() {
	ip netns exec bench sluice-load --target 10.9.0.1:7000 --rate "$1" --duration "$2s" --warmup 500ms --timeout 20s \
		--objective "${OBJECTIVE}ms" --max-loss 1 --allow-late --cpu 1 --refused busy --json 2>/dev/null || true
}

field() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"; }

begin() {
	taskset 1 incident-server "$@" >/tmp/server &
	server=$!
	until grep -q ready /tmp/server; do
		kill -0 $server
		sleep 0.1
	done
}

end() {
	kill -KILL $server
	wait $server 2>/dev/null || true
}

# What a saturated server answers is its capacity. A shared host's changes: it is measured before each server's turn.
measure_capacity() {
	begin socket "$SERVICE_NS" 7000 0
	capacity=$(load $((2000000000 / SERVICE_NS)) 4 | field answered_per_s)
	capacity=${capacity%.*}
	end
	echo "capacity $capacity"
}

# run NAME SERVER-ARG...
run() {
	local name=$1 step
	shift
	begin "$@"
	for step in 317:$SECONDS_HEALTHY 1429:$SECONDS_OVERLOAD; do
		echo "{\"server\":\"$name\",\"offered_of_capacity\":0.${step%:*},\"capacity\":$capacity,\"run\":$(load \
			$((capacity * ${step%:*} / 1000)) "${step#*:}")}" | sed 's/:0\.1429,/:1.429,/'
		sleep 1
	done
	end
}

echo "kernel $(uname -r)"
measure_capacity
run "recvmmsg, default receive buffer" socket "$SERVICE_NS" 7000 0
measure_capacity
run "recvmmsg, receive buffer of 64 MB" socket "$SERVICE_NS" 7000 $((64 << 20))
measure_capacity
sluice group add svc steer fifo target $((OBJECTIVE / 2))ms interval "${OBJECTIVE}ms"
sluice listener add l udp 0.0.0.0:7000 default group svc reject-reply text:busy
run Sluice ring "$SERVICE_NS" svc
sluice check -q
sluice listener del l
sluice group del svc
