#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A consumer that is killed: its connections stay, and its requests follow the group's policy.
. ./tcp_lib.sh

net_up
for crash in reissue requeue reject; do
	for mode in hold idle; do
		sl group add g steer hash target 1h crash $crash no-consumer hold 1h
		sl listener add l tcp 0.0.0.0:7000 framing line default group g reject-reply 'text:LOST\n'
		consumer /tmp/c g $mode 2048 64
		client /tmp/raw 10.7.0.1 7000 raw half 'a\nb\nc\n'
		until_true 20 number 3 outcome in_flight
		[ $mode = idle ] || until_true 20 grep -q held /tmp/c
		kill -KILL "$consumer"
		wait "$consumer" 2>/dev/null
		consumer /tmp/c g echo
		wait "$client"
		want='LOST|LOST|LOST|'
		[ $crash = reject ] || { [ $crash = requeue ] && [ $mode = hold ]; } || want='a|b|c|'
		check "$crash, requests $mode: the client gets $want" sh -c "tr '\n' '|' </tmp/raw | grep -q '^$want|closed'"
		check "$crash, $mode: the connection was not reset" [ "$(conns reset)" -eq 0 ]
		ledger "$crash, $mode"
		kill -KILL "$consumer"
		wait "$consumer" 2>/dev/null
		sl listener del l
		until_true 10 sl group del g
	done
done

# a slow machine is not overloaded
sl group add g steer rr crash reissue no-consumer hold 1h target 1h
sl listener add l tcp 0.0.0.0:7000 framing length default group g
consumer /tmp/c1 g echo
first=$consumer
consumer /tmp/c2 g echo
client /tmp/e 10.7.0.1 7000 echo 20000 40
until_true 30 sh -c "[ \$(ip netns exec srv sluice -j stats listener | tr -s ',{}' '\n' | sed -n 's/.*\"answered\": *//p' | head -n 1) -gt 1000 ]"
kill -KILL "$first"
wait "$client"
check "killed in the middle of a pipelined run: all replies, in order, on the same connection" \
	sh -c "cat /tmp/e; ip netns exec srv sluice stats listener; grep -qx '20000 replies' /tmp/e"
ledger "killed under load"

cleanup
check "unload" until_true 20 rmmod sluice
done_testing
