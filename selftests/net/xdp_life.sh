#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# XDP listeners while devices go down, move and vanish; rules, groups and crashes as for any request; passing.
. ./lib.sh

gone_said() { sl listener show l | grep -q 'its device is gone'; }
here_said() { ! gone_said; }
answered_is() { [ "$(outcome answered)" -eq "$1" ]; }

net_up
cli ethtool -K c0 gro on >/dev/null
sl group add g steer hash no-consumer hold 1h crash reissue
sl listener add l xdp dev s0 udp 0.0.0.0:7000 default group g reject-reply text:NOxx-busy copy 2
check "a second one in the same place is refused" sh -c "! ip netns exec srv sluice listener add m xdp dev s0 udp 0.0.0.0:7000 default reject"

probe 10.7.0.1 7000 held 3 100 >/dev/null
consumer /tmp/c g hold
check "what waited in the backlog is published" until_true 20 grep -q held /tmp/c
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
consumer /tmp/c g echo
check "reissued to the next consumer, with the original bytes" until_true 20 answered_is 3

sl rule add l 1 text 0 deny reject
sl rule add l 2 text 0 pass pass
check "a reject reply" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 deny 1 5000 | grep -q ' dexx-busy'"
srv ./udp_probe 127.0.0.1 7000 x 1 1 >/dev/null
sl group add s steer hash
sl listener add below udp 0.0.0.0:7000 default group s
consumer /tmp/c2 s echo
check "what a rule passes reaches the stack" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 passed 1 5000 | grep -q '^10.7.0.1 passed'"
check "and is counted" [ "$(outcome passed_rule)" -eq 1 ]

# a big reply does not fit in the device's frames: the stack fragments it
check "a message in fragments goes to the stack" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 $(printf '%1900s' x | tr ' ' z) 1 5000 | grep -q '^1 replies'"

ip -n srv link set s0 down
ip -n srv link set s0 up
check "after down and up" until_true 20 sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 again 1 500 | grep -q '^1 replies'"

# the neighbour has another address: the way back is not that of the request
mac=$(cli cat /sys/class/net/c0/address)
ip -n srv neigh replace 10.7.0.2 lladdr 02:00:00:00:00:99 dev s0 nud permanent
check "no reply to where the request did not come from by routing" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 lost 1 300 | grep -q '^0 replies'"
ip -n srv neigh replace 10.7.0.2 lladdr "$mac" dev s0 nud permanent
check "and again when the neighbour is right" until_true 20 sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 found 1 500 | grep -q '^1 replies'"

# detach and attach under load; frames in between go to the stack, where a listener serves them too
cli ./udp_probe 10.7.0.1 7000 load 20000 2000 >/tmp/load &
load=$!
i=0
while [ $i -lt 5 ]; do
	sl listener del l
	sl listener add l xdp dev s0 udp 0.0.0.0:7000 default group g
	i=$((i + 1))
done
wait $load
check "detach and attach under load: those in between are served by the stack" [ "$(sed -n 's/ replies//p' /tmp/load)" -gt 10000 ]
check "ledger closed" sl check

nsenter --net=/run/netns/srv xdp-loader load -m native s0 own_xdp.bpf.o
check "a program of the user's own offers frames by the kfunc" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 own 1 5000 | grep -q '^10.7.0.1 own'"
check "it is there" sh -c "nsenter --net=/run/netns/srv xdp-loader status s0 | grep -q own_xdp"
nsenter --net=/run/netns/srv xdp-loader unload s0 -i "$(nsenter --net=/run/netns/srv xdp-loader status s0 | sed -n 's/.*own_xdp *[a-z]* *\([0-9]*\) .*/\1/p')"

ip netns add other
ip -n srv link set s0 netns other
check "a device that moves away leaves its listener idle" until_true 10 gone_said
ip -n other link set s0 netns srv
check "and finds it again when it is back" until_true 10 here_said
ip -n srv addr add 10.7.0.1/24 dev s0
ip -n srv link set s0 up
check "served again" until_true 20 sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 back 1 500 | grep -q '^1 replies'"
ip -n srv link del s0
check "a device that vanishes leaves its listener idle" until_true 10 gone_said
check "ledger closed at the end" sl check
sl listener del l
ip netns del other
cleanup
check "unload" rmmod sluice
done_testing
