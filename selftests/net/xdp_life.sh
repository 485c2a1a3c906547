#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# XDP listeners while devices go down, move and vanish; rules, groups and crashes as for any request; passing.
. ./lib.sh

gone_said() { sl listener show l | grep -q 'its device is gone'; }
here_said() { ! gone_said; }
class_count() { sl -j stats class | tr -s ',{}' '\n' | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | awk '{ s += $1 } END { print s + 0 }'; }
answers() { ip netns exec cli ./udp_probe "$1" 7000 again 1 500 | grep -q '^1 replies'; }
answers_own() { ip netns exec cli ./udp_probe 10.7.0.1 7000 '!a' 1 5000 | grep -q '^1 replies'; }
answered_is() { [ "$(outcome answered)" -eq "$1" ]; }

net_up
cli ethtool -K c0 gro on >/dev/null
sl group add g steer hash target 1h no-consumer hold 1h crash reissue

# deleted by another command after it was added, before its program is attached
ip netns exec srv env LD_PRELOAD="$PWD/late_attach.so" sluice listener add late xdp dev s0 udp 0.0.0.0:7000 default group g 2>/tmp/late &
late=$!
check "a listener whose program is yet to be attached" until_true 20 sl listener show late
check "has none" sh -c "! ip -n srv link show s0 | grep -q prog/xdp"
sl listener del late
touch /tmp/attach
wait $late
check "deleted meanwhile, adding it fails" [ $? -ne 0 ]
check "and says why" grep -q 'was deleted while its program was being attached' /tmp/late
check "no program stays on the device" sh -c "! ip -n srv link show s0 | grep -q prog/xdp"

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
sl group add s steer hash target 1h
sl listener add below udp 0.0.0.0:7000 default group s
consumer /tmp/c2 s echo
consumer2=$consumer
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

# detach and attach under load; frames in between go to the stack, where a listener serves them too. With gro the device's
# queue does not come and go with the program.
srv ethtool -K s0 gro on >/dev/null
sl listener del l
sl listener del below
sl listener add below udp 0.0.0.0:7000 default group g
sl listener add l xdp dev s0 udp 0.0.0.0:7000 default group g
kill -KILL "$consumer2"
before=$(class_count answered)
cancelled=$(class_count cancelled_listener)
i=0
sent=0
replies=0
while [ $i -le 2 ] && [ $sent -lt 15000 ]; do
	cli ./udp_probe 10.7.0.1 7000 load 1500 1000 each >/tmp/load &
	load=$!
	while kill -0 $load 2>/dev/null; do
		sl listener del l
		sl listener add l xdp dev s0 udp 0.0.0.0:7000 default group g
		i=$((i + 1))
	done
	wait $load
	sent=$((sent + 1500))
	replies=$((replies + $(sed -n 's/ replies//p' /tmp/load)))
done
check "detach and attach under load, more than once" [ $i -gt 2 ]
check "each reply is one that was answered" [ $(($(class_count answered) - before)) -eq "$replies" ]
check "lost is what was in flight at a detach, counted, and nothing else" \
	[ $((replies + $(class_count cancelled_listener) - cancelled)) -eq "$sent" ]
check "ledger closed" sl check
sl listener del below

nsenter --net=/run/netns/srv xdp-loader load -m native s0 ./own_xdp.bpf.o
check "a program of the user's own offers frames by the kfunc" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 own 1 5000 | grep -q '^10.7.0.1 own'"
sl rule add l 10 order 10 text 0 nothing-is-like-this group g class urgent
check "it names the rule that applies" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 '!a' 2 5000 | grep -q '^2 replies'"
check "with its class" sh -c "ip netns exec srv sluice stats rule | grep -q '^rule l/10  *2 '"
sl rule del l 10
check "one that is not there is an impossible verdict: the rules decide" answers_own
check "and it is counted" sh -c "ip netns exec srv sluice listener show l | grep -q ' 1 impossible verdicts'"
check "it is there" sh -c "nsenter --net=/run/netns/srv xdp-loader status s0 | grep -q own_xdp"
nsenter --net=/run/netns/srv xdp-loader unload s0 -i "$(nsenter --net=/run/netns/srv xdp-loader status s0 | sed -n 's/.*own_xdp *[a-z]* *\([0-9]*\) .*/\1/p')"

ip netns add other
ip -n srv link set s0 netns other
check "a device that moves away leaves its listener idle" until_true 10 gone_said
ip -n other link set s0 netns srv
check "and finds it again when it is back" until_true 10 here_said
ip -n srv addr add 10.7.0.1/24 dev s0
ip -n srv link set s0 up
check "served again" until_true 20 answers 10.7.0.1

ip -n srv link set s0 down
ip -n srv link set s0 name s1
ip -n srv link set s1 up
check "a device that gets another name keeps its listener" sh -c "ip netns exec srv sluice listener show l | grep -q 'dev s1'"
check "which goes on" until_true 20 answers 10.7.0.1
ip -n srv link set s1 netns other
check "and waits for it by its name" until_true 10 gone_said
ip -n other link set s1 name s0
ip -n other link set s0 netns srv
check "not by another" gone_said
ip -n srv link set s0 name s1
check "until it is called so" until_true 10 here_said
ip -n srv link set s1 name s0
ip -n srv link set s0 up

if ip -n srv link add link s0 name s0.5 type vlan id 5 2>/dev/null; then
	sl listener add v xdp dev s0.5 udp 0.0.0.0:7001 default drop
	ip -n srv link set s0 netns other
	check "a VLAN stays with its device wherever that is" sh -c "! ip netns exec srv sluice listener show v | grep -q gone"
	ip -n other link set s0 netns srv
	check "and when it is back" sh -c "! ip netns exec srv sluice listener show v | grep -q gone"
	sl listener del v
else
	echo "# this kernel has no VLANs"
fi

ip -n srv link del s0
check "a device that vanishes leaves its listener idle" until_true 10 gone_said
ip -n srv link add s0 type veth peer name c0 netns cli
cli ethtool -K c0 gro on >/dev/null
ip -n srv addr add 10.7.0.1/24 dev s0
ip -n cli addr add 10.7.0.2/24 dev c0
ip -n srv link set s0 up
ip -n cli link set c0 up
check "another one of that name is taken" until_true 10 here_said
check "without a program" sh -c "ip netns exec srv sluice listener show l | grep -q 'XDP none'"
check "set attaches it again" sl listener set l default group g
check "native" sh -c "ip netns exec srv sluice listener show l | grep -q 'XDP native'"
check "and serves" until_true 20 answers 10.7.0.1
check "ledger closed at the end" sl check
sl listener del l
ip netns del other
# libxdp's pins of the device that vanished hold its programs
nsenter --net=/run/netns/srv xdp-loader clean
cleanup
check "unload" rmmod sluice
done_testing
