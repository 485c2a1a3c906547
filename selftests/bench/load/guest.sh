# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on its ordinary clock: an open-loop client against each server, rate by rate. Prints a line of JSON for each run.
#
# $SERVERS, $RATES (a second), $REPEATS, $SECONDS_EACH, $GROUP (options of Sluice's)
set -e
# shellcheck source=selftests/bench/bench-net.sh
. /bench-net.sh

# ticks in which the processors were not idle, of all of them
busy() { awk '$1 == "cpu" { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }
udp_errors() { awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $6 }' /proc/net/snmp; }

begin() {
	[ "$1" != sluice ] || {
		# shellcheck disable=SC2086
		sluice group add echo steer hash $GROUP
		sluice listener add bench udp 0.0.0.0:7000 default group echo
	}
	rm -f /tmp/server
	taskset 2 cost-serve "$1" >/tmp/server 2>&1 &
	server=$!
	until grep -qs ready /tmp/server; do
		kill -0 $server
		sleep 0.1
	done
}

# what the server's side let go, by its own counters, as members of an object
reasons() {
	if [ "$1" = sluice ]; then
		sluice stats listener | awk '/^    / { printf ",\"%s\":%d", $1, $2 }'
	else
		echo ",\"receive_buffer\":$(($(udp_errors) - errors))"
	fi
}

end() {
	kill -KILL $server
	wait $server 2>/dev/null || true
	[ "$1" != sluice ] || {
		sluice check -q
		sluice listener del bench
		sluice group del echo
	}
}

echo "kernel $(uname -r)"
for _ in $(seq "$REPEATS"); do
	for rate in $RATES; do
		for server_name in $SERVERS; do
			begin "$server_name"
			errors=$(udp_errors)
			ticks=$(busy)
			run=$(ip netns exec bench sluice-load --target 10.9.0.1:7000 --rate "$rate" --duration "${SECONDS_EACH}s" \
				--warmup 0s --timeout 500ms --max-loss 1 --allow-late --cpu 0 --json 2>/dev/null) || true
			ticks=$(($(busy) - ticks))
			echo "{\"server\":\"$server_name\",\"rate\":$rate,\"busy_s\":$ticks.0e-2,\"let_go\":{\"by\":\"its counters\"$(reasons \
				"$server_name")},\"run\":$run}"
			end "$server_name"
		done
	done
done
