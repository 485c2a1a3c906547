#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Messages over TCP come back, whatever pieces they travel in, and in order whichever ring answers.
. ./tcp_lib.sh

net_up
sl group add g steer rr target 1h
check "a TCP listener" sl listener add l tcp '[::]:7000' framing length width 4 default group g
check "its port is taken now" sh -c "! ip netns exec srv sluice listener add l2 tcp 0.0.0.0:7000 framing line"
check "it says what it is" sh -c "ip netns exec srv sluice listener show l | grep -q 'tcp \[::\]:7000 framing length width 4 default group g'"
consumer /tmp/c1 g echo 4096 256
check "one message" tcp 10.7.0.1 7000 echo 1 64
check "over IPv6" tcp fd07::1 7000 echo 1 64
check "messages cut at every byte" tcp 10.7.0.1 7000 split
check "byte by byte" tcp 10.7.0.1 7000 echo 20 17 1
check "many in one segment" tcp 10.7.0.1 7000 echo 500 16
check "a message of nothing" tcp 10.7.0.1 7000 echo 3 4
consumer /tmp/c2 g reverse 4096 256
consumer /tmp/c3 g reverse 4096 256
check "in order though three rings answer out of order" tcp 10.7.0.1 7000 echo 2000 24
check "all three served" sh -c "ip netns exec srv sluice -j stats ring | tr -s ',{}' '\n' | grep -c '\"answered\": *[1-9]' | grep -qx 3"
sl group add big steer hash target 1h
sl listener add b tcp 0.0.0.0:7001 framing length width 4 default group big
consumer /tmp/c4 big echo 65536 16
check "large messages" tcp 10.7.0.1 7001 echo 30 65536
check "large messages in small segments" tcp 10.7.0.1 7001 echo 2 65536 1000

# Segments whose overhead fills the receive buffer before the message is complete.
long_lines() {
	for _ in 1 2 3 4 5; do
		# shellcheck disable=SC2016
		[ "$(cli timeout 30 bash -c 'exec 3<>/dev/tcp/10.7.0.1/7002
			for i in 1 2 3 4; do head -c 60000 /dev/zero | tr "\0" "$i"; echo; done >&3
			head -n 4 <&3 | uniq -c | wc -c')" -eq 240036 ] || return 1
	done
}
sl listener add t tcp 0.0.0.0:7002 framing line default group big
ip -n srv route replace 10.7.0.0/24 dev s0 src 10.7.0.1 advmss 300
for i in 1 2 3 4; do
	check "messages that the receive buffer cannot hold, $i" tcp 10.7.0.1 7001 echo 30 65536
done
check "lines that it cannot hold" long_lines
ip -n srv route replace 10.7.0.0/24 dev s0 src 10.7.0.1
check "no connection is left" counts 0 conns conns
check "all were closed in order" counts "$(conns accepted)" conns closed
check "answered all" counts 0 outcome in_flight
ledger "echo"
sl listener del l
sl listener del b
sl listener del t
cleanup
check "unload" rmmod sluice
done_testing
