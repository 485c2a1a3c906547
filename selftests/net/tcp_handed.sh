#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Connections that a process hands over: how they end, and how they are its own again.
. ./handed_lib.sh

net_up
# what one consumer keeps is not to make the next requests late
sl group add g steer hash no-consumer hold 1h target 1h
consumer /tmp/c g echo 2048 64
listener

# what it does not read holds up nobody else
serve hold
client /tmp/out 10.7.0.1 7000 raw hold 'ring1\nown2\nring3\n'
check "a message that its owner does not read" until_true 20 sh -c "ip netns exec srv sluice conn show | grep -q 'state passing'"
check "what came before is answered" grep -qx ring1 /tmp/out
check "what comes behind it waits" sh -c "! grep -qx ring3 /tmp/out"
kill -KILL "$(owners)"
check "its owner is killed: owner counts" counts 1 conns owner
check "and the client sees the end" until_true 20 grep -qE '^(closed|reset) after' /tmp/out
ledger "killed"
end_server

serve shut
client /tmp/out 10.7.0.1 7000 raw hold 'own\n'
check "an owner that ends its side has its connection again" counts 2 conns owner
end_server
stop_client
ledger "shut down"

kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
consumer /tmp/c g hold

serve block
client /tmp/out 10.7.0.1 7000 raw hold 'ring1\nring2\n'
check "requests are in a ring" counts 2 outcome in_flight
kill -KILL "$(owners)"
check "their owner is killed: they are cancelled" counts 2 outcome cancelled_connection
ledger "killed with requests"
end_server
serve block
client /tmp/out 10.7.0.1 7000 raw hold 'ring1\nring2\n'
check "others are" counts 2 outcome in_flight
sl listener del l
check "without their replies the connection is of no use: it is reset" until_true 20 grep -q '^reset' /tmp/out
check "the owner sees it" until_true 20 grep -q '^end Connection reset' /tmp/o
check "ledger closed" sl check
end_server
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
consumer /tmp/c g echo 2048 64
listener
serve refusals
client /tmp/out 10.7.0.1 7000 raw hold ''
until_true 20 grep -q '^adopted' /tmp/o
check "meanwhile others cannot take it, or read past" no_wrongs
sl listener del l
stop_client
check "given back, its owner reads the end of it" until_true 20 grep -q '^end' /tmp/o
end_server

# handed over twice, and to whom it cannot be
listener
rm -f /tmp/o
ip netns exec srv ./tcp_adopt command 7000 "sluice conn adopt l fd 9 || exit 9
	for fd in 9 0 77; do sluice conn adopt l fd \$fd; test \$? -eq 1 || exit 8; done
	sluice conn adopt none fd 9; test \$? -eq 1 || exit 7
	sluice listener add l2 tcp fd 9 framing line; test \$? -eq 1 || exit 6
	sluice listener add l3 tcp handed framing line max-conns 1 max-per-source 1 || exit 5
	sluice listener del l || exit 4
	sluice conn adopt l3 fd 9 || exit 3
	echo fine" >/tmp/o 2>&1 &
consumers="$consumers $!"
until_true 60 grep -qE '^(ready|error)' /tmp/o
client /tmp/out 10.7.0.1 7000 raw hold 'own\n'
check "not twice, nor what is no connection; given back, it may go to another" until_true 60 grep -qx fine /tmp/o
stop_client
sl listener del l3

# listeners come and go while messages do
serve block
for i in 1 2 3; do
	listener
	ip netns exec cli ./tcp_adopt mixed 10.7.0.1 7000 3000 -1 >/tmp/m 2>&1 &
	m=$!
	until_true 60 sh -c "[ \$(grep -c ^adopted /tmp/o) -eq $i ]"
	sl listener del l
	wait "$m"
	check "a listener goes under traffic: all is answered in order, by its owner from then on, or the end is told" \
		sh -c "cat /tmp/m; grep -qE '^(3000 replies|ended: )' /tmp/m"
done
check "ledger closed" sl check
end_server
listener

# talk N: a client whose words come from descriptor N; its output is in /tmp/tN
talk() {
	rm -f /tmp/words
	mkfifo /tmp/words
	ip netns exec cli ./tcp_adopt talk 10.7.0.1 7000 </tmp/words >"/tmp/t$1" 2>&1 7>&- 8>&- &
	consumers="$consumers $!"
	eval "exec $1>/tmp/words"
}

serve block
talk 7
echo own1 >&7
check "a client and its owner" until_true 20 grep -qx own:own1 /tmp/t7
sl listener del l
echo two >&7
check "given back, its owner, who has been waiting, answers all" until_true 20 grep -qx own:two /tmp/t7
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
listener
talk 8
echo own3 >&8
check "another is adopted" until_true 20 grep -qx own:own3 /tmp/t8
check "the module goes, while their owners wait" until_true 20 rmmod sluice
echo four >&7
echo five >&8
check "they serve on" until_true 20 grep -qx own:four /tmp/t7
check "both" until_true 20 grep -qx own:five /tmp/t8
check "as a socket of their own" no_wrongs
exec 7>&- 8>&-
end_server
cleanup
done_testing
