#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Ten thousand rules: installed at once, each taking what it says, and the first of several that match.
. ./lib.sh

net_up
awk 'BEGIN {
	print "group g steer hash"
	print "listener l udp 0.0.0.0:7000 default reject reject-reply text:default"
	for (i = 1; i <= 10000; i++) printf "rule l %d order 1 token 0 1 = key%d drop\n", i, i
	print "rule l 20001 order 5 text 0 get group g class get"
	print "rule l 20002 order 0 token 0 1 = key77 length 0-9 reject"
}' >/tmp/rules
check "10,000 rules in one file" sl apply /tmp/rules
check "the dump has them all" sh -c "[ \$(ip netns exec srv sluice rule show l | grep -c '^rule ') -eq 10002 ]"
consumer /tmp/c g echo
probe 10.7.0.1 7000 "get key9999" 3 100 >/dev/null
check "the last of them takes its message" sh -c "ip netns exec srv sluice -j stats rule | tr '{' '\n' |
	grep -A1 '\"id\": *9999,' | grep -q '\"received\": *3'"
check "none but the catch-all takes another" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 'get other' 1 5000 | grep -q 'get other'"
check "a lower order wins over the rule for the same word" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 'get key77' 1 5000 | grep -q ' default'"
probe 10.7.0.1 7000 "get key78" 1 10 >/dev/null
check "it alone" sh -c "ip netns exec srv sluice -j stats rule | tr '{' '\n' |
	grep -A1 '\"id\": *20002,' | grep -q '\"received\": *1'"
check "explain names the rule" sh -c "ip netns exec srv sluice explain l text:'get key123' | grep -q 'rule 123'"
check "no rule: the default" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 nothing 1 5000 | grep -q ' default'"
refused "a bad rule set is refused as a whole" sluice rule add l 30000 bytes 600/4 = 1 drop
check "and nothing has changed" sh -c "[ \$(ip netns exec srv sluice rule show l | grep -c '^rule ') -eq 10002 ]"
check "ledger closed" sl check
done_testing
