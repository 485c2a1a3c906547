#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Framing by BPF programs: those that come with Sluice cut as its own framings do, those of others what they say, and one
# that says what cannot be ends the connection alone.
. ./tcp_lib.sh

# ends LISTENER: what its connections came to
ends() { sl -j listener show "$1" | tr -s ',{}' '\n' | grep -E '"(accepted|closed|truncated|broken|oversize|memory|reset)"'; }
same_ends() { [ "$(ends "$1")" = "$(ends "$2")" ]; }

# misused NAME COMMAND...: it says that the command line is wrong
misused() { check "$1" sh -c "ip netns exec srv $(shift; echo "$*"); [ \$? -eq 2 ]"; }

net_up
# a piece is sent when the one before it was acknowledged, which is not to wait for the next
route="10.7.0.0/24 dev s0 src 10.7.0.1 quickack 1"
# shellcheck disable=SC2086
ip -n srv route replace $route
sl group add g steer hash target 1h
consumer /tmp/c g size 65536 64
n_port=7000
for kind in memcached resp; do
	sl listener add $kind tcp 0.0.0.0:$n_port framing $kind message-max 1000 default group g
	check "the program of $kind, by its name" \
		sl listener add b-$kind tcp 0.0.0.0:$((n_port + 1)) framing bpf $kind message-max 1000 default group g
	check "$kind: the same streams, cut at the same places, come to the same" \
		cli ./streams 10.7.0.1 $n_port $((n_port + 1)) $kind "${STREAMS:-120}" "${SEED:-1}"
	sed 's/^/# /' /tmp/check.out
	check "$kind: and their connections to the same ends" until_true 20 same_ends $kind b-$kind
	ends b-$kind | sed 's/^/# /'
	check "$kind: of each kind some" sh -c "ip netns exec srv sluice listener show b-$kind | grep 'broken [1-9]' | grep 'oversize [1-9]' | grep -q 'truncated [1-9]'"
	n_port=$((n_port + 2))
done
ledger "equal"

sl show >/tmp/conf
check "show has the words that make it" grep -q 'framing bpf memcached message-max 1000' /tmp/conf
check "which change nothing when they are applied" sh -c "ip netns exec srv sluice apply /tmp/conf | grep -q 'nothing to change'"
sl listener del b-resp
check "and bring back what is gone" sh -c "ip netns exec srv sluice apply /tmp/conf | grep -qx 'add listener b-resp'"
sed 's/framing bpf resp/framing bpf memcached/' /tmp/conf >/tmp/conf2
check "apply changes the program, not the listener" sh -c "ip netns exec srv sluice apply /tmp/conf2 | grep -qx 'change listener b-resp'"
for l in memcached resp b-memcached b-resp; do
	sl listener del $l
done

check "an example's" sl listener add x tcp 0.0.0.0:7000 framing bpf ./frame.bpf.o default group g
for piece in 1 2 100; do
	check "its messages, $piece bytes at a time" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half '\\x05hello\\x00\\x03abc\\x81\\x00x' $piece | grep -qx '6 1 4 3 '"
done
sl listener del x

sl listener add o tcp 0.0.0.0:7000 framing bpf odd.bpf.o default group g
# odd TEXT ANSWER COUNT WHAT [PIECE]: after a good message this is sent; what is answered, and how the connection counts
odd() {
	before=$(conns "$3")
	check "$4" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half '3ab$1' ${5:-} | grep -qx '3 $2'"
	check "$4: $3" counts $((before + 1)) conns "$3"
}
long=$(head -c 20000 /dev/zero | tr '\0' 'x')
odd nonsense '' broken "no message"
odd much '' oversize "too long, it says"
odd t '' oversize "a length over the maximum"
odd f '' oversize "done with more than the maximum"
odd "b$long" '' broken "done with less than before"
odd "s$long" '' broken "shorter than what it was done with"
odd "k$long" '' broken "seen a window and got nowhere"
odd kxx '' truncated "half a message"
odd 'wwwwwwww.2a' '9 2 ' closed "its own words are kept from byte to byte" 1
odd "l$(printf '%0200d' 0).2a" '202 2 ' closed "shown again what it is not done with" 1
odd "l$(printf '%0100d' 0).2a" '102 2 ' closed "all at once"
odd "v$(printf '%04999d' 0).2a" '5001 2 ' closed "passed over bytes that had not come" 700
odd 'l2a' '' truncated "an end in a message"
ledger "odd programs"

sl listener add e tcp 0.0.0.0:7001 framing bpf length.bpf.o default group big
check "no listener without its group" sh -c "! ip netns exec srv sluice listener show e"
sl group add big steer hash target 1h
sl listener add e tcp 0.0.0.0:7001 framing bpf length.bpf.o default group big
consumer /tmp/c2 big echo 65536 16
check "large messages" tcp 10.7.0.1 7001 echo 30 65536
check "in small segments" tcp 10.7.0.1 7001 echo 2 65536 1000
check "cut at every byte" tcp 10.7.0.1 7001 split
check "byte by byte" tcp 10.7.0.1 7001 echo 5 17 1
# shellcheck disable=SC2086
ip -n srv route replace $route advmss 300
check "messages that the receive buffer cannot hold" tcp 10.7.0.1 7001 echo 20 65536
# shellcheck disable=SC2086
ip -n srv route replace $route
cli ./tcp_client 10.7.0.1 7001 echo 3000 100 70 >/tmp/load &
load=$!
i=0
while kill -0 $load 2>/dev/null; do
	sl listener set e framing bpf length.bpf.o
	i=$((i + 1))
done
wait $load
check "replaced under load, in the middle of messages: all are answered" [ $? -eq 0 ]
check "more than once" [ $i -gt 1 ]

client /tmp/stuck 10.7.0.1 7001 raw hold '\x00\x00\x01'
until_true 20 number 1 conns conns
sl listener set e framing bpf odd.bpf.o
check "half a message is shown to the next program from its start" until_true 20 grep -qE '(closed|reset) after 0' /tmp/stuck
sl listener set e framing bpf length.bpf.o
refused "a name that does not come with Sluice" sluice listener set e framing bpf nothing
refused "a file that is none" sluice listener set e framing bpf /etc/passwd
refused "a file that is not there" sluice listener set e framing bpf ./nowhere.o
misused "framing bpf without a program" sluice listener add r tcp 0.0.0.0:7009 framing bpf
misused "another framing" sluice listener set e framing line
sl listener add p tcp 0.0.0.0:7002 framing line default group g
refused "a program for a listener of another framing" sluice listener set p framing bpf length.bpf.o
check "which is as it was" sh -c "ip netns exec srv sluice listener show p | grep -q 'framing line '"
refused "a program for UDP" sluice listener add u udp 0.0.0.0:7003 framing bpf length.bpf.o
ledger "replaced and refused"
cleanup
check "unload" until_true 20 rmmod sluice
done_testing
