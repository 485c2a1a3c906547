# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on the instruction clock: cost of a request over TCP, of an echo and of memcached's GET, in turn.
#
# $SHAPES ("CONNS/PIPELINE ..."), $ROUNDS, $REPEATS
set -e
. /bench-net.sh
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
modprobe sch_plug

with_sluice() { # FRAMING COMMAND...
	local status=0
	sluice group add echo steer hash backlog 0
	sluice listener add bench tcp 10.9.0.1:7000 framing "$1" default group echo
	"${@:2}" || status=$?
	sluice check -q || status=1
	sluice listener del bench
	sluice group del echo
	return $status
}

# free: the port is
free() { while ss -Htln 'sport = :7000' | grep -q .; do sleep 0.1; done; }

memcached_cost() {
	free
	memcached -u root -t 1 -l 10.9.0.1 -p 7000 -U 0 &
	until ss -Htln 'sport = :7000' | grep -q .; do sleep 0.1; done
	cost-tcp memcached outside "$@" $! || true
	kill $!
	wait $! || true
}

sluiced_cost() {
	local status=0
	printf 'group echo handler kv workers 1 tx kick spin 0us {\n\tmemory 32M\n}\n' >/tmp/sluiced.conf
	sluiced -c /tmp/sluiced.conf 2>/tmp/sluiced.log &
	daemon=$!
	until grep -q serving /tmp/sluiced.log; do sleep 0.1; done
	cost-tcp sluiced outside "$@" $daemon || status=$?
	kill $daemon
	wait $daemon || true
	return $status
}

echo "kernel $(uname -r)"
for _ in $(seq "$REPEATS"); do
	for shape in $SHAPES; do
		args="$ROUNDS 64 ${shape%/*} ${shape#*/}"
		free
		# shellcheck disable=SC2086
		cost-tcp epoll epoll $args
		free
		# shellcheck disable=SC2086
		with_sluice length cost-tcp sluice sluice $args
		# shellcheck disable=SC2086
		memcached_cost $args
		free
		# shellcheck disable=SC2086
		with_sluice memcached sluiced_cost $args
	done
done
