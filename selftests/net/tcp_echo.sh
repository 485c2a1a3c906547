#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Messages over TCP come back, whatever pieces they travel in, and in order whichever ring answers.
. ./tcp_lib.sh

net_up
sl group add g steer rr
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
sl group add big steer hash
sl listener add b tcp 0.0.0.0:7001 framing length width 4 default group big
consumer /tmp/c4 big echo 65536 16
check "large messages" tcp 10.7.0.1 7001 echo 30 65536
check "large messages in small segments" tcp 10.7.0.1 7001 echo 2 65536 1000
check "no connection is left" counts 0 conns conns
check "all were closed in order" counts "$(conns accepted)" conns closed
check "answered all" counts 0 outcome in_flight
ledger "echo"
sl listener del l
sl listener del b
cleanup
check "unload" rmmod sluice
done_testing
