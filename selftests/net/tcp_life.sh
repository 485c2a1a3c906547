#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A listener is removed, and its namespace, with connections open and requests in rings.
. ./tcp_lib.sh

net_up
sl group add g steer hash target 1h crash reissue no-consumer hold 1h
sl listener add l tcp 0.0.0.0:7000 framing length default group g
consumer /tmp/c g hold
for _ in 1 2 3; do
	client /dev/null 10.7.0.1 7000 abort 10 30 wait
done
check "requests are in a ring" counts 30 outcome in_flight
check "a listener with requests in rings goes" sl listener del l
check "ledger closed after it" sl check
sl listener add l tcp 0.0.0.0:7000 framing length default group g
client /tmp/open 10.7.0.1 7000 open 50
until_true 20 grep -q '^open' /tmp/open
# a process in it would keep it
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
check "a namespace with open connections goes" sh -c "ip netns del srv"
check "their clients see the end" until_true 60 grep -q '^ended 50' /tmp/open
cleanup
check "unload" until_true 20 rmmod sluice
done_testing
