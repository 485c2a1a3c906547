#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Connections that a process hands over: a ring answers some of their messages, their owner the others, in order.
. ./handed_lib.sh

net_up
sl group add g steer hash target 1h
consumer /tmp/c g echo 2048 64
refused "pass is for connections that somebody owns" sluice listener add x tcp 0.0.0.0:7001 framing line default pass
check "a listener without a socket" listener
check "is printed as it is made" sh -c "ip netns exec srv sluice show | grep -q '^listener l tcp handed framing line default group g'"

serve block
check "by turns, pipelined" mixed 600 0
check "a byte at a time" mixed 30 1
check "in pieces" mixed 100 7
check "the owner saw its own messages whole, one at a time" no_wrongs
check "and the end of the input behind them" until_true 20 sh -c "[ \$(grep -c '^end of input' /tmp/o) -eq 3 ]"
check "passed_rule counts" counts 243 outcome passed_rule
check "closed counts" counts 3 conns closed
ledger "block"
end_server

serve poll
check "an owner that polls" mixed 300 0
check "a byte at a time" mixed 30 1
check "saw no more" no_wrongs
client /tmp/out 10.7.0.1 7000 raw hold 'own\n'
check "conn show says that it is adopted" until_true 20 sh -c "ip netns exec srv sluice conn show | grep -q 'state open .* adopted\$'"
id=$(sl conn show | sed -n 's/^conn \([0-9]*\) .*/\1/p')
check "conn kill resets it" sl conn kill "$id"
check "its owner sees that" until_true 20 grep -q '^end Connection reset' /tmp/o
check "and its client" until_true 20 grep -q '^reset after' /tmp/out
ledger "poll"
end_server

(printf own; head -c 60000 /dev/zero | tr '\0' x; echo; echo ring) >/tmp/big
serve small
sl listener del l
sl listener add l tcp handed framing line message-max 64K default group g reject-reply 'text:TOO BIG\n'
sl rule add l 1 text 0 own pass
check "what the receive buffer cannot hold is not left there" sh -c "(until grep -q ^adopted /tmp/o; do sleep 0.05; done; cat /tmp/big) |
	ip netns exec cli busybox nc 10.7.0.1 7000 | tr '\n' '|' | grep -q '^TOO BIG|ring|'"
check "rejected_too_big counts" counts 1 outcome rejected_too_big
ledger "small"
end_server

# without a consumer
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
sl group set g no-consumer pass
serve block
check "what has no consumer is passed" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half 'ring1\nown2\nring3\n' | tr '\n' '|' | grep -q '^own:ring1|own:own2|own:ring3|'"
check "passed_no_consumer counts" counts 2 outcome passed_no_consumer
ledger "no consumer"
end_server
cleanup
check "unload" until_true 20 rmmod sluice
done_testing
