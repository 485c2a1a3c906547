#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A BPF classifier in front of a listener's rules: it names the rule, the rules decide, or its verdict is impossible.
. ./lib.sh

# rule_is N COUNT: what rule N of listener l received
rule_is() { sl stats rule | grep -q "^rule l/$1  *$2 "; }

net_up
sl group add g steer hash
sl listener add l udp 0.0.0.0:7000 default group g
sl rule add l 5 order 5 text 0 rule drop
sl rule add l 10 order 10 text 0 nothing-is-like-this group g class small
sl rule add l 11 order 11 text 0 nothing-is-like-this-either group g class large
check "a program from an object file" sl listener set l classifier classify.bpf.o
check "show says so" sh -c "ip netns exec srv sluice listener show l | grep -q 'classifier: BPF program'"
consumer /tmp/c g echo
probe 10.7.0.1 7000 1one 3 5000 >/tmp/one
probe 10.7.0.1 7000 7seven 2 5000 >/tmp/seven
check "all are answered" sh -c "grep -qx '3 replies' /tmp/one && grep -qx '2 replies' /tmp/seven"
check "by the rule that it names: small" rule_is 10 3
check "and large" rule_is 11 2
probe 10.7.0.1 7000 rule 2 200 >/dev/null
check "where it names none the rules decide" until_true 10 rule_is 5 2
check "explain runs it" sh -c "ip netns exec srv sluice explain l text:7x | grep -q 'classifier says 0x0800000b'"
check "explain: its rule applies" sh -c "ip netns exec srv sluice explain l text:7x | grep -q 'class large'"
check "explain: its key" sh -c "ip netns exec srv sluice explain l text:7x | grep -q 'hash of the key'"

sl rule del l 11
probe 10.7.0.1 7000 7seven 2 5000 >/tmp/seven
check "a rule that is not there: the rules decide" grep -qx '2 replies' /tmp/seven
check "and it is counted" sh -c "ip netns exec srv sluice listener show l | grep -q ' 2 impossible verdicts'"
check "explain says so" sh -c "ip netns exec srv sluice explain l text:7x | grep -q impossible"

i=0
sent=0
replies=0
while [ $i -le 1 ] && [ $sent -lt 6000 ]; do
	cli ./udp_probe 10.7.0.1 7000 1load 600 1000 each >/tmp/load &
	load=$!
	while kill -0 $load 2>/dev/null; do
		sl listener set l classifier none
		sl listener set l classifier classify.bpf.o
		i=$((i + 1))
	done
	wait $load
	sent=$((sent + 600))
	replies=$((replies + $(sed -n 's/ replies//p' /tmp/load)))
done
check "taken away and set again under load: all are answered" [ $replies -eq $sent ]
check "more than once" [ $i -gt 1 ]
check "not for an XDP listener" sh -c "ip netns exec srv sluice listener add x xdp dev s0 udp 0.0.0.0:7001 default reject classifier ./classify.bpf.o 2>&1 | grep -q 'XDP program can do'"
check "a file that is none" sh -c "! ip netns exec srv sluice listener set l classifier /etc/passwd"
sl group add big steer hash
consumer /tmp/c2 big echo 65536 16
sl listener add t tcp 0.0.0.0:7000 framing line default group g classifier ./classify.bpf.o
sl rule add t 5 order 5 text 0 rule drop
sl rule add t 10 order 10 text 0 nothing-is-like-this group g class small
sl rule add t 12 order 12 length 40000-65536 group big
check "over TCP: all are answered" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half '1a\n8b\n2c\nxd\n' 1 | tr '\n' '|' | grep -q '^1a|8b|2c|xd||closed'"
check "by the rule that it names" sh -c "ip netns exec srv sluice stats rule | grep -q '^rule t/10  *2 '"
check "by the default where it names one that is not there" sh -c "ip netns exec srv sluice stats rule | grep -q '^rule t/default  *2 '"
check "which is counted" sh -c "ip netns exec srv sluice listener show t | grep -q ' 1 impossible verdicts'"
check "explain runs it, too" sh -c "ip netns exec srv sluice explain t text:1x | grep -q 'class small'"
check "messages larger than what is copied for it" sh -c "[ \$(ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half '$(head -c 50000 /dev/zero | tr '\0' x)\n' | wc -c) -gt 50000 ]"
sl listener set t classifier none
sl listener set l classifier none
check "none any more" sh -c "! ip netns exec srv sluice listener show l | grep -q classifier"
check "ledger closed" sl check
cleanup
check "unload" rmmod sluice
done_testing
