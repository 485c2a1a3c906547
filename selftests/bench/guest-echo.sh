# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on the instruction clock: cost of an echoed request through sockets and through Sluice.
set -e
rounds=${ROUNDS:-150}
size=${SIZE:-64}

. /bench-net.sh

# drop SIDE: its device drops the other side's datagrams on arrival
drop() {
	case $1 in
	server) nft -f - <<-NFT ;;
		table netdev bench { chain in { type filter hook ingress device v0 priority 0; udp dport 7000 drop; }; }
	NFT
	client) ip netns exec bench nft -f - <<-NFT ;;
		table netdev bench { chain in { type filter hook ingress device v1 priority 0; udp sport 7000 drop; }; }
	NFT
	esac
}

drop server
echo_cost send "$rounds" "$size"
nft delete table netdev bench
drop client
for _ in 1 2 3; do
	for mode in recvmmsg epoll; do
		echo_cost $mode "$rounds" "$size"
	done
	sluice group add echo steer hash backlog 0
	sluice listener add bench udp 0.0.0.0:7000 default group echo
	echo_cost sluice "$rounds" "$size"
	sluice check -q
	sluice listener del bench
	sluice group del echo
done

# A message that none but the last of N rules takes: rules of four shapes, so that every table is looked into.
ruleset() {
	awk -v n="$1" 'BEGIN {
		print "group echo steer hash backlog 0"
		print "listener bench udp 0.0.0.0:7000 default reject"
		for (i = 1; i < n; i++) {
			lo = i % 256; hi = int(i / 256)
			if (i % 4 == 0) printf "rule bench %d src 172.16.%d.%d/32 drop\n", i, hi, lo
			if (i % 4 == 1) printf "rule bench %d bytes 4/4 = %d drop\n", i, i
			if (i % 4 == 2) printf "rule bench %d token 0 0 = word%d drop\n", i, i
			if (i % 4 == 3) printf "rule bench %d text 8 text%05d drop\n", i, i
		}
		printf "rule bench %d order 1 group echo\n", n
	}'
}

for _ in 1 2 3; do
	for n in 10 10000; do
		ruleset $n >/tmp/rules
		sluice apply /tmp/rules
		echo_cost sluice "$rounds" "$size" | sed "s/^sluice/rules-$n/"
		sluice check -q
		sluice listener del bench
		sluice group del echo
	done
done
