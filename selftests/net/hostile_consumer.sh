#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A consumer that does everything wrong harms its own ring only.
. ./lib.sh

net_up
sl group add g steer rr no-consumer reject
sl listener add l udp 0.0.0.0:7000 default group g
(while :; do probe 10.7.0.1 7000 "load and some bytes more" 100 20 >/dev/null; done) &
traffic=$!
consumers="$consumers $traffic"
check "garbage in every word it may write" srv ./hostile g 3000
check "refused responses were counted, not sent" [ "$(outcome dropped_bad_response)" -gt 0 ]
check "ledger closed" sl check
consumer /tmp/c g echo
kill -KILL "$traffic"
wait "$traffic" 2>/dev/null
check "another consumer of the group is served" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 well 1 5000 | grep -q '^10.7.0.1 well'"
check "ledger closed in the end" sl check
cleanup
check "unload" until_true 10 rmmod sluice
done_testing
