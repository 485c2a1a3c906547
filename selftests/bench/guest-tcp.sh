# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on the instruction clock: cost of a request over TCP, of an echo and of a store's GET, in turn.
#
# $SERVERS, $SHAPES ("CONNECTIONS/PIPELINED[/SIZE] ..."), $ROUNDS (with 16 or more in flight), $REPEATS, $GROWTH (0: leave the growths out)
set -e
. /bench-net.sh
. /bench-tcp.sh

# at least 16 requests a round: what the kernel does now and then falls on all shapes alike
rounds() { echo $((ROUNDS * ($1 < 16 ? 16 / $1 : 1))); }

echo "kernel $(uname -r)"
for _ in $(seq "$REPEATS"); do
	for shape in $SHAPES; do
		IFS=/ read -r conns pipelined size <<<"$shape"
		for server in $SERVERS; do
			tcp_cost "$server" "$(rounds $((conns * pipelined))) ${size:-64} $conns $pipelined" || {
				[ "${server#sluice}" = "$server" ]
				tail -n 3 /tmp/server.log >&2 || true
				echo "unusable $server $shape"
			}
		done
	done
done
[ "$GROWTH" = 0 ] || . /bench-growth-tcp.sh
