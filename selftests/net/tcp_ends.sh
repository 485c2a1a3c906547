#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Each way in which a connection ends, or is refused, provoked by what it is for; the listener lives on.
. ./tcp_lib.sh

# fresh OPTIONS...: a listener of lines of up to 100 bytes, on port 7000
fresh() {
	sl listener del l 2>/dev/null
	sl listener add l tcp 0.0.0.0:7000 framing line message-max 100 default group g reject-reply 'text:BUSY\n' "$@"
}

net_up
sl group add g steer hash target 1h
consumer /tmp/c g echo 2048 64

fresh
check "a client that closes its side first gets its replies" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half 'one\ntwo\n' | tr '\n' '|' | grep -q '^one|two||closed after 8 bytes'"
check "closed counts" counts 1 conns closed
check "in the middle of a message" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half 'one\ntw' | tr '\n' '|' | grep -q '^one||closed after 4 bytes'"
check "truncated counts" counts 1 conns truncated
check "a message too long ends the connection after the replies before it" \
	sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw hold 'one\n$(printf '%0200d' 0)' | tr '\n' '|' | grep -qE '^one\|\|(closed|reset) after 4 bytes'"
check "oversize counts" counts 1 conns oversize
check "the listener lives on" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half 'x\n' | grep -qx x"
ledger "client's ends"

sl listener del l
sl listener add l tcp 0.0.0.0:7000 framing resp default group g
check "what is no message ends the connection" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw hold '*x' | grep -qE '(closed|reset) after 0 bytes'"
check "broken counts" counts 1 conns broken

fresh message-timeout 200ms
check "half a message is waited for so long only" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw hold 'on' | grep -qE '(closed|reset) after 0 bytes'"
check "slow counts" counts 1 conns slow

fresh idle 200ms
check "an idle connection is closed, after its reply" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw hold 'one\n' | tr '\n' '|' | grep -q '^one||closed after 4 bytes'"
check "idle counts" counts 1 conns idle
ledger "times"

fresh max-conns 3
client /tmp/open 10.7.0.1 7000 open 5
check "connections over the listener's limit are reset" until_true 20 grep -q '^ended 2' /tmp/open
check "refused_limit counts" counts 2 conns refused_limit
check "conn show lists the others" sh -c "ip netns exec srv sluice conn show | grep -c '^conn ' | grep -qx 3"
id=$(sl conn show | sed -n 's/^conn \([0-9]*\) .*/\1/p' | head -n 1)
check "conn kill ends one" sl conn kill "$id"
check "its client sees it" until_true 20 grep -q '^ended 3' /tmp/open
check "killed counts" counts 1 conns killed
check "and it is gone" sh -c "! ip netns exec srv sluice conn kill $id"
stop_client
check "a process that ends closes its connections" counts 0 conns conns
ledger "limits"

fresh max-per-source 2
client /tmp/open 10.7.0.1 7000 open 3
check "connections over the limit of one address are reset" until_true 20 grep -q '^ended 1' /tmp/open
check "refused_source counts" counts 1 conns refused_source
ip -n cli addr add 10.7.0.3/24 dev c0
stop_client
counts 0 conns conns
check "the address may open others when its own have ended" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half 'x\n' | grep -qx x"
ledger "limit of one address"

fresh
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
sl group set g no-consumer reject
check "a rejected request gets the reject reply, and the connection stays" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half 'one\ntwo\n' | tr '\n' '|' | grep -q '^BUSY|BUSY||closed'"
check "rejected_no_consumer counts" counts 2 outcome rejected_no_consumer
sl rule add l 1 text 0 drop drop
check "a dropped request gets nothing, and holds up nothing" sh -c "ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half 'one\ndrop\ntwo\n' | tr '\n' '|' | grep -q '^BUSY|BUSY||closed'"
check "dropped_rule counts" counts 1 outcome dropped_rule
ledger "refusals"

sl group set g no-consumer hold 1h
sl listener del l
sl listener add l tcp 0.0.0.0:7000 framing length default group g
consumer /tmp/c g hold 2048 64
before=$(sl -j stats class | tr -s ',{}' '\n' | sed -n 's/.*"cancelled_connection": *\([0-9]*\).*/\1/p' | head -n 1)
check "a client resets its connection with requests in a ring" tcp 10.7.0.1 7000 abort 5 20
check "they are cancelled" counts $((before + 5)) outcome_class cancelled_connection
check "reset counts" counts 1 conns reset
ledger "reset"
sl listener del l
cleanup
check "unload" rmmod sluice
done_testing
