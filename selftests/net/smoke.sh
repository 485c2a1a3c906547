#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Echo from wire to consumer and back, IPv4, IPv6, a dual-stack socket, second addresses, and a clean unload.
. ./lib.sh

net_up
sl group add g steer hash
sl listener add v4 udp 0.0.0.0:7000 default group g
sl listener add v6 udp "[::]:7001" default group g
sl listener add only udp "[::]:7000" v6only default group g
consumer /tmp/c g echo

check "echo over IPv4" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 hello 1 5000 | grep -q '^10.7.0.1 hello'"
check "the reply leaves from the address asked" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.11 7000 hello 1 5000 | grep -q '^10.7.0.11 hello'"
check "echo over IPv6" sh -c "ip netns exec cli ./udp_probe fd07::1 7000 hello 1 5000 | grep -q '^fd07::1 hello'"
check "IPv4 on a dual-stack socket" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7001 hello 1 5000 | grep -q '^10.7.0.1 hello'"
check "150 requests, 150 answers" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 many 150 5000 | grep -q '^150 replies'"
check "all answered by the ledger" [ "$(outcome answered)" -eq 154 ]
check "ledger closed" sl check
cleanup
check "unload" rmmod sluice
done_testing
