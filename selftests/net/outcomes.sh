#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Each outcome and reason of the ledger, provoked by what it is for.
. ./lib.sh

# counted DESCRIPTION NAME N: the ledger says so, and closes
counted() {
	until_true 10 sh -c "[ \$(ip netns exec srv sluice -j stats listener | tr -s ',{}' '\n' |
		sed -n 's/.*\"$2\": *\([0-9]*\).*/\1/p' | awk '{ s += \$1 } END { print s + 0 }') -eq $3 ]"
	ok $? "$1: $2 counts $3"
	check "$1: ledger closed" sl check
}

# fresh OPTIONS...: a new group g with a listener on port 7000 that sends its default there
fresh() {
	sl listener del l 2>/dev/null
	if [ -n "$consumer" ]; then
		kill -KILL "$consumer" 2>/dev/null
		wait "$consumer" 2>/dev/null
		consumer=
	fi
	until_true 10 sh -c '! ip netns exec srv sluice group show | grep -q "^group g " || ip netns exec srv sluice group del g'
	sl group add g "$@"
	sl listener add l udp 0.0.0.0:7000 default group g reject-reply text:NOxx-busy copy 2
}

consumer=
net_up

fresh steer hash
consumer /tmp/c g "done"
probe 10.7.0.1 7000 ab 3 300 >/dev/null
counted "a consumer that wants no reply" "done" 3

fresh steer hash
consumer /tmp/c g reject
check "the reject reply copies the request's first bytes" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 ab12 1 5000 | grep -q ' abxx-busy'"
counted "a consumer that refuses" rejected_consumer 1

fresh steer hash
consumer /tmp/c g more 2048 64
check "several datagrams for one request, in order" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 ab 1 5000 2 | tr '\n' '|' | grep -q 'first|.*second|2 replies'"
counted "several datagrams" answered 1

fresh steer hash no-consumer reject
probe 10.7.0.1 7000 ab 2 300 >/dev/null
counted "no consumer, reject" rejected_no_consumer 2

fresh steer hash no-consumer hold 200ms
probe 10.7.0.1 7000 ab 2 5000 >/tmp/held
check "held requests are refused in the end" grep -q '^2 replies' /tmp/held
counted "no consumer, hold" rejected_no_consumer 2

fresh steer hash no-consumer hold 1h
probe 10.7.0.1 7000 ab 2 100 >/dev/null
consumer /tmp/c g echo
counted "a consumer that comes later takes what was held" answered 2

fresh steer hash window 1 backlog 2
consumer /tmp/c g hold 2048 64
probe 10.7.0.1 7000 ab 5 300 >/dev/null
counted "backlog full" rejected_backlog_full 2

fresh steer fifo window 1 backlog-bytes 1
consumer /tmp/c g hold 2048 64
probe 10.7.0.1 7000 ab 3 300 >/dev/null
counted "memory limit" rejected_memory 2

fresh steer hash
consumer /tmp/c g echo 64 64
probe 10.7.0.1 7000 "$(printf '%100s' x)" 1 300 >/dev/null
counted "larger than a slot" rejected_too_big 1

fresh steer hash crash requeue
consumer /tmp/c g hold 2048 64
probe 10.7.0.1 7000 ab 4 300 >/dev/null
until_true 10 grep -q held /tmp/c
kill -KILL "$consumer"
counted "taken requests of a consumer that died" rejected_crash 4

fresh steer hash crash reissue no-consumer hold 1h
consumer /tmp/c g hold 2048 64
probe 10.7.0.1 7000 ab 4 300 >/dev/null
until_true 10 grep -q held /tmp/c
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
consumer /tmp/c g echo
counted "reissue gives them to the next consumer" answered 4

fresh steer hash crash requeue no-consumer hold 1h
consumer /tmp/c g idle 2048 64
probe 10.7.0.1 7000 ab 4 300 >/dev/null
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
consumer /tmp/c g echo
counted "requeue gives untaken ones to the next consumer" answered 4

fresh steer hash crash reject
consumer /tmp/c g idle 2048 64
probe 10.7.0.1 7000 ab 4 300 >/dev/null
kill -KILL "$consumer"
counted "reject refuses them all" rejected_crash 4

fresh steer hash
consumer /tmp/c g hold 2048 64
probe 10.7.0.1 7000 ab 3 300 >/dev/null
before=$(sl -j stats class | tr -s ',{}' '\n' | sed -n 's/.*"cancelled_listener": *\([0-9]*\).*/\1/p' | head -n 1)
sl listener del l
after=$(sl -j stats class | tr -s ',{}' '\n' | sed -n 's/.*"cancelled_listener": *\([0-9]*\).*/\1/p' | head -n 1)
check "a removed listener cancels what is in flight" [ $((after - before)) -eq 3 ]
check "ledger closed after it" sl check

fresh steer hash
sl rule add l 1 text 0 drop drop
sl rule add l 2 text 0 deny reject
probe 10.7.0.1 7000 drop 2 200 >/dev/null
probe 10.7.0.1 7000 deny 3 5000 >/dev/null
counted "a rule that drops" dropped_rule 2
counted "a rule that rejects" rejected_rule 3

fresh steer hash window 1 no-consumer hold 1h
sl rule add l 1 group g deadline 50ms
probe 10.7.0.1 7000 ab 3 300 >/dev/null
counted "deadline past in the backlog" expired_backlog 3

fresh steer hash
sl rule add l 1 group g deadline 1ms
consumer /tmp/c g echo
kill -STOP "$consumer"
probe 10.7.0.1 7000 ab 2 100 >/dev/null
kill -CONT "$consumer"
counted "deadline past in the ring" expired_ring 2

fresh steer hash
consumer /tmp/c g echo
srv nft -f - <<-NFT
	table inet t { chain out { type filter hook output priority 0; udp sport 7000 drop; }; }
NFT
probe 10.7.0.1 7000 ab 2 300 >/dev/null
counted "a reply that the firewall refuses" dropped_send 2
srv nft delete table inet t

done_testing
