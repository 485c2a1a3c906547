#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# The watchdog: a consumer that stands still is told of once and passed over, and taken back when it moves.
. ./lib.sh

states() { sl ring show | sed -n 's/,need-kick//; s/^ring .* state \([^ ]*\) .*/\1/p' | sort | tr '\n' ' '; }
stalled() { states | grep -q stalled; }
alike() { [ "$(states)" = "$1" ]; }
told() { [ "$(grep -c "$1" /tmp/events)" -eq "$2" ]; }
# number NAME: of the event of that kind as JSON has it
number() { grep ring-stalled /tmp/events | tr -s ',{}' '\n' | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | head -n 1; }
answers() { [ "$(outcome answered)" -eq "$1" ]; }

consumer=
net_up
sl group add g steer rr stall 2s window 8 target 1h
sl listener add l udp 0.0.0.0:7000 default group g
ip netns exec srv sluice -j monitor >/tmp/events 2>&1 &
consumers=$!
consumer /tmp/c1 g echo
frozen=$consumer
consumer /tmp/c2 g echo
check "both serve" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 abc 20 20000 | grep -q '^20 replies'"

kill -STOP "$frozen"
probe 10.7.0.1 7000 abc 8 20000 4 >/dev/null
check "it is told of" until_true 20 told ring-stalled 1
check "its process is named" [ "$(number pid)" = "$frozen" ]
check "with what it has" [ "$(number count)" -eq 4 ]
echo "# silent for $(number age_ns) ns"
check "after the stall time, and before twice of it" \
	[ "$(number age_ns)" -ge 2000000000 -a "$(number age_ns)" -lt 4000000000 ]
if [ -r /proc/self/stack ]; then
	check "and what it does in the kernel" grep -q '"stacks": *{ *"[0-9]*": *\[ *"' /tmp/events
fi
check "it is passed over" until_true 20 stalled
check "all that comes from now on is served" sh -c \
	"ip netns exec cli ./udp_probe 10.7.0.1 7000 abc 20 20000 | grep -q '^20 replies'"
check "what it has stays in flight" answers 44
check "ledger closed" sl check
check "it is told of once" told ring-stalled 1

kill -CONT "$frozen"
check "it is taken back when it moves" until_true 20 told ring-resumed 1
check "and takes requests again" until_true 20 alike "attached attached "
check "what it had is answered" until_true 20 answers 48
check "both serve again" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 abc 20 20000 | grep -q '^20 replies'"

kill -KILL "$consumer"
until_true 20 alike "attached "
kill -STOP "$frozen"
probe 10.7.0.1 7000 abc 3 100 1 >/dev/null
check "the last one is told of too" until_true 20 told ring-stalled 2
check "but keeps its place" alike "attached "
kill -CONT "$frozen"
check "and its requests" until_true 20 answers 71
check "ledger closed at the end" sl check
done_testing
