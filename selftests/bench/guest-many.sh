# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on the instruction clock of all its processors: what a request costs in all, for so many producers and consumers.
#
# $SERVERS, $SHAPES ("PRODUCERS/CONSUMERS ..."), $ROUNDS (requests of a run), $REPEATS
set -e
. /bench-net.sh
echo "kernel $(uname -r) $(nproc)"
for _ in $(seq "$REPEATS"); do
	for shape in $SHAPES; do
		for server in $SERVERS; do
			[ "$server" != sluice ] || {
				sluice group add echo steer hash target 1h
				sluice listener add bench udp 0.0.0.0:7000 default group echo
			}
			cost-many "$server" "${shape%/*}" "${shape#*/}" "$ROUNDS"
			[ "$server" != sluice ] || {
				sluice check -q
				sluice listener del bench
				sluice group del echo
			}
		done
	done
done
