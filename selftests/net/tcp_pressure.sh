#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A full group pauses the stream and loses nothing; a client that does not read, or is slow, costs little.
. ./tcp_lib.sh

# fresh GROUP OPTIONS...
fresh() {
	sl listener del l 2>/dev/null
	if [ -n "$consumer" ]; then
		kill -KILL "$consumer" 2>/dev/null
		wait "$consumer" 2>/dev/null
		consumer=
	fi
	until_true 10 sh -c '! ip netns exec srv sluice group show | grep -q "^group g " || ip netns exec srv sluice group del g'
	sl group add g target 1h "$@"
}

consumer=
net_up
for steer in hash fifo; do
	fresh steer $steer window 2 backlog 3 no-consumer hold 1h
	sl listener add l tcp 0.0.0.0:7000 framing length default group g
	client /tmp/e1 10.7.0.1 7000 echo 300 40
	one=$client
	client /tmp/e2 10.7.0.1 7000 echo 300 40
	two=$client
	check "$steer: no consumer, a full backlog: the streams are paused" until_true 20 sh -c "ip netns exec srv sluice conn show | grep -c 'state paused' | grep -qx 2"
	check "$steer: no more is in flight than the backlog holds" [ "$(outcome in_flight)" -eq 3 ]
	check "$steer: ledger closed while paused" sl check
	consumer /tmp/c g echo 2048 64
	wait "$one"
	check "$steer: a consumer comes, and the first stream is served to its end" [ $? -eq 0 ]
	wait "$two"
	check "$steer: so is the other" [ $? -eq 0 ]
	check "$steer: nothing was refused" [ "$(outcome rejected_backlog_full)" -eq 0 ]
	check "$steer: answered all" counts 600 outcome answered
	ledger "$steer: pause"
done

fresh steer hash no-consumer hold 1h
sl listener add l tcp 0.0.0.0:7000 framing length default group g pipeline 4
consumer /tmp/c g hold 4096 64
client /tmp/a 10.7.0.1 7000 abort 20 40 wait
check "no more of a connection is in flight than its pipeline" until_true 20 sh -c "ip netns exec srv sluice conn show | grep -q 'state held'"
check "which is 4" [ "$(outcome in_flight)" -eq 4 ]
stop_client
check "what waited for it goes with it" counts 0 outcome in_flight
ledger "pipeline"

fresh steer hash
sl listener add l tcp 0.0.0.0:7000 framing length default group g send-limit 64K send-timeout 1s
consumer /tmp/c g echo 4096 64
client /tmp/deaf 10.7.0.1 7000 deaf 4000
check "a client that does not read stops being read" until_true 60 grep -q '^blocked' /tmp/deaf
check "what waits for it is bounded" sh -c "ip netns exec srv sluice -j conn show | tr -s ',{}' '\n' | sed -n 's/.*\"queued_bytes\": *//p' | awk '{ exit \$1 > 65536 + 256 * 4000 }'"
check "others are served meanwhile" tcp 10.7.0.1 7000 echo 50 40
check "it is cut off" until_true 60 grep -q '^cut off' /tmp/deaf
check "stalled counts" counts 1 conns stalled
check "no connection is left" counts 0 conns conns
ledger "a client that does not read"

sl listener del l
sl listener add l tcp 0.0.0.0:7000 framing length default group g message-timeout 1s
check "a client that sends a byte now and then is cut off" tcp 10.7.0.1 7000 drip 60000
check "slow counts" counts 1 conns slow
ledger "a slow client"
sl listener del l
cleanup
check "unload" rmmod sluice
done_testing
