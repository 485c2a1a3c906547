#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Under traffic: consumers killed, rules replaced, listeners and namespaces removed, the module unloaded.
. ./lib.sh

net_up
sl group add g steer least crash requeue
sl listener add l udp 0.0.0.0:7000 default group g
consumer /tmp/c1 g echo 2048 256 thread
first=$consumer
consumer /tmp/c2 g echo 2048 256 kick
(while :; do probe 10.7.0.1 7000 "load" 200 200 >/dev/null; done) &
traffic=$!

for i in 1 2 3 4 5; do
	consumer /tmp/c3 g echo
	sl rule add l "$i" text 0 load group g class "c$i"
	kill -KILL "$consumer"
	wait "$consumer" 2>/dev/null
	sl check -q || ok 1 "ledger open after kill $i"
done
check "consumers killed and rules added under traffic: ledger closed" sl check
kill -TERM "$first"
check "a consumer told to end drains" until_true 10 grep -q '^left' /tmp/c1
sl rule flush l
check "retired rules keep the ledger closed" sl check
check "the module stays while a ring is open" sh -c '! rmmod sluice'
sl listener del l
check "listener removed under traffic: ledger closed" sl check
sl listener add l udp 0.0.0.0:7000 default group g
ip netns del srv
check "namespace removed under traffic" until_true 10 sh -c '! ip netns list | grep -q ^srv'
kill "$traffic"
wait "$traffic" 2>/dev/null
cleanup
check "unload" until_true 10 rmmod sluice
done_testing
