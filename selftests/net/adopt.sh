#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A socket that a process hands over: rules take some of its datagrams, the rest stays with its owner.
. ./lib.sh

net_up
sl group add g steer hash no-consumer pass
# the second command has to be refused: the socket is taken
ip netns exec srv ./udp_adopt 7000 "sluice listener add l udp fd 9 default pass || exit 9
	sluice listener add l2 udp fd 9 default pass; test \$? -eq 1" >/tmp/s 2>&1 &
owner=$!
consumers="$consumers $owner"
check "adopted, and not adopted twice" until_true 10 grep -q ready /tmp/s
sl rule add l 1 text 0 ring group g
probe 10.7.0.1 7000 plain 1 200 >/dev/null
check "pass: the owner reads it" until_true 10 grep -q '^passed plain' /tmp/s
probe 10.7.0.1 7000 ring-none 1 200 >/dev/null
check "no consumer, pass: the owner reads it" until_true 10 grep -q '^passed ring-none' /tmp/s
consumer /tmp/c g echo
check "with a consumer the ring serves it" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 ring-it 1 5000 | grep -q '^10.7.0.1 ring-it'"
check "and the owner does not see it" sh -c "! grep -q 'passed ring-it' /tmp/s"
check "passed_rule counts" [ "$(outcome passed_rule)" -eq 1 ]
check "passed_no_consumer counts" [ "$(outcome passed_no_consumer)" -eq 1 ]
check "ledger closed" sl check
refused "nor is its port bound" sluice listener add l2 udp 0.0.0.0:7000
check "one listener is there" sh -c "[ \$(ip netns exec srv sluice listener show | grep -c '^listener ') -eq 1 ]"
sl listener del l
probe 10.7.0.1 7000 ring-back 1 200 >/dev/null
check "given back, the socket works as before" until_true 10 grep -q '^passed ring-back' /tmp/s
kill -KILL "$owner"
wait "$owner" 2>/dev/null

rm -f /tmp/s
ip netns exec srv ./udp_adopt 7000 "sluice listener add l udp fd 9 default group g" >/tmp/s 2>&1 &
owner=$!
consumers="$consumers $owner"
until_true 10 grep -q ready /tmp/s
kill -KILL "$owner"
wait "$owner" 2>/dev/null
check "the owner closes its socket: the port is free, the listener says closed" \
	until_true 10 sh -c "ip netns exec srv sluice -j listener show l | grep -q '\"closed\": *true'"
check "ledger closed after it" sl check
sl listener del l
cleanup
check "unload" rmmod sluice
done_testing
