# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced in the guest by guest-tcp.sh: how the cost of a request over TCP grows with connections and with its size.

# grow WHAT N SERVER "ROUNDS SIZE CONNECTIONS PIPELINED"
grow() {
	tcp_cost "$3" "$4" | sed "s/^tcp $3 /tcp grow-$1-$3-$2 /"
}

for _ in $(seq "$REPEATS"); do
	for server in epoll sluice; do
		# one says something among many that do not; and as many as there are, one request in each
		for n in 1 100 1000 10000; do
			IDLE=$((n - 1)) grow connections "$n" $server "$ROUNDS 64 1 1"
		done
		for n in 1 4 16 64 256 1000; do
			grow active "$n" $server "$((ROUNDS > 20 ? 20 : ROUNDS)) 64 $n 1"
		done
		for n in 16 64 256 1024 2048 4096 8192 16384 32768 65472; do
			grow bytes "$n" $server "$ROUNDS $n 1 1"
		done
	done
done
