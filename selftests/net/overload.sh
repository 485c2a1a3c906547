#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The backlog's discipline: overload, its order and its end, who makes room, caps of classes.
. ./lib.sh

# fresh OPTIONS...: a new group g, and a listener that sends what begins with "b" to its class b
fresh() {
	sl listener del l 2>/dev/null
	for c in $consumers; do
		kill -KILL "$c" 2>/dev/null
		wait "$c" 2>/dev/null
	done
	consumers=
	until_true 20 sh -c '! ip netns exec srv sluice group show | grep -q "^group g " || ip netns exec srv sluice group del g'
	sl group add g "$@"
	sl listener add l udp 0.0.0.0:7000 default group g
	sl rule add l 1 text 0 b group g class b
	base_overload=$(outcome rejected_overload)
	base_shed=$(outcome rejected_shed)
}

# since NAME BASE: what was counted since fresh
since() { echo $(($(outcome "$1") - $2)); }

# field NAME: a number of the group as JSON has it
field() { sl -j group show g | tr -s ',{}' '\n' | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -n 1; }

waiting() { [ "$(field waiting)" = "$1" ]; }
used() { [ "$(sl -j ring show | tr -s ',{}' '\n' | sed -n 's/.*"used": *\([0-9]*\).*/\1/p' | sort -n | tr '\n' ' ')" = "$1 " ]; }
shed() { [ "$(since rejected_shed "$base_shed")" = "$1" ]; }
logged() { [ "$(grep -c got /tmp/c)" = "$1" ]; }
# what waits now has waited much longer than the target of 1 ms when a second has passed
a_second_since() { [ "$(($(date +%s) - $1))" -ge 2 ]; }
overloaded() { [ "$(since rejected_overload "$base_overload")" = "$1" ]; }

consumer=
net_up

fresh steer fifo window 1 target 1ms interval 2ms
ip netns exec srv sluice monitor >/tmp/events 2>&1 &
monitor=$!
consumers=$monitor
consumer /tmp/c g hold
probe 10.7.0.1 7000 a 5 1 >/dev/null
check "what waits too long under overload is refused" until_true 20 overloaded 4
check "overload is told" until_true 20 grep -q overload-on /tmp/events
check "its end too" until_true 20 grep -q overload-off /tmp/events
check "ledger closed" sl check

fresh steer fifo window 1 target 1ms interval 1h
consumer /tmp/c g log
kill -STOP "$consumer"
for i in 0 1 2 3; do
	probe 10.7.0.1 7000 "a$i" 1 1 >/dev/null
done
until_true 20 waiting 3
until_true 20 a_second_since "$(date +%s)"
kill -CONT "$consumer"
until_true 20 logged 4
check "last in, first out once something waited too long" \
	[ "$(sed -n 's/^got //p' /tmp/c | tr '\n' ' ')" = "a0 a3 a2 a1 " ]

fresh steer fifo window 1 target 1ms interval 1h order fifo
consumer /tmp/c g log
kill -STOP "$consumer"
for i in 0 1 2 3; do
	probe 10.7.0.1 7000 "a$i" 1 1 >/dev/null
done
until_true 20 waiting 3
until_true 20 a_second_since "$(date +%s)"
kill -CONT "$consumer"
until_true 20 logged 4
check "first in, first out if the group says so" \
	[ "$(sed -n 's/^got //p' /tmp/c | tr '\n' ' ')" = "a0 a1 a2 a3 " ]

fresh steer fifo window 1 backlog 2 target 1h class b shed 1
consumer /tmp/c g hold
probe 10.7.0.1 7000 a 1 1 >/dev/null
until_true 20 used 1
probe 10.7.0.1 7000 b 2 1 >/dev/null
until_true 20 waiting 2
probe 10.7.0.1 7000 a 1 1 >/dev/null
check "a class that is shed first makes room" until_true 20 shed 1
check "ledger closed after it" sl check

fresh steer hash window 1 backlog 2 target 1h class b shed 1
consumer /tmp/c g hold
probe 10.7.0.1 7000 a 1 1 >/dev/null
until_true 20 used 1
probe 10.7.0.1 7000 b 2 1 >/dev/null
until_true 20 waiting 2
probe 10.7.0.1 7000 a 1 1 >/dev/null
check "in a ring's own backlog too" until_true 20 shed 1

fresh steer typed window 1 target 1h class b cap 1
consumer /tmp/c1 g hold
consumer /tmp/c2 g hold
probe 10.7.0.1 7000 b 3 1 >/dev/null
check "a class occupies no more rings than its cap" until_true 20 waiting 2
check "one ring has one request of it" used "0 1"
probe 10.7.0.1 7000 a 1 1 >/dev/null
check "the other ring is left to other classes" until_true 20 used "1 1"
check "the class waits on" waiting 2
sl group set g class b cap 2
probe 10.7.0.1 7000 b 1 1 >/dev/null
check "ledger closed with typed steering" sl check

fresh steer typed target 1h
consumer /tmp/c1 g echo
consumer /tmp/c2 g echo
check "typed steering serves" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 abc 200 5000 | grep -q '^200 replies'"
check "ledger closed after it" sl check

sl group set g class b target 2ms interval 3ms cap 3 shed 4
check "a class's options are shown" sh -c \
	"ip netns exec srv sluice group show g | grep -q 'class b target 2ms interval 3ms cap 3 shed 4'"
sl group set g class b cap 0
check "what is not given stays" sh -c \
	"ip netns exec srv sluice group show g | grep -q 'class b target 2ms interval 3ms shed 4'"

done_testing
