#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Three hundred listeners of one namespace, over both protocols, on one group: each takes its own messages.
. ./lib.sh

net_up
awk 'BEGIN {
	print "group g steer hash"
	for (i = 0; i < 300; i++)
		printf "listener l%d udp %s:%d default group g\n", i, i % 2 ? "[::]" : "0.0.0.0", 7000 + i
}' >/tmp/many
check "three hundred listeners in one file" sl apply /tmp/many
check "all of them are there" sh -c "[ \$(ip netns exec srv sluice listener show | grep -c '^listener ') -eq 300 ]"
consumer /tmp/c g echo
for i in 0 1 150 299; do
	address=10.7.0.1
	[ $((i % 2)) -eq 0 ] || address=fd07::1
	check "listener $i answers" sh -c "ip netns exec cli ./udp_probe $address $((7000 + i)) hello$i 1 20000 | grep -q ' hello$i'"
done
check "and only these received one" sh -c "[ \$(ip netns exec srv sluice -j stats listener | tr '{' '\n' |
	grep -c '\"received\": *1,') -eq 4 ]"
check "ledger closed" sl check
check "one of them removed" sl listener del l150
check "its port is free, the others answer" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7152 again 1 20000 | grep -q ' again'"
done_testing
