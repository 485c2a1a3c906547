#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Replies in order: one that is missing, or torn, is never followed by another, which would pass for it.
. ./tcp_lib.sh

# raw BYTES: send them and the end, print what comes back
raw() { tcp 10.7.0.1 7000 raw half "$1" | tr '\n' '|'; }

# gets WANT BYTES: just these replies come back, then the end
gets() {
	got=$(raw "$2")
	case $got in
	"$1"\|closed\ after*) ;;
	*) echo "$got, not $1"; return 1 ;;
	esac
}

# fresh MODE GROUP_OPTIONS... -- LISTENER_OPTIONS...: group, listener of lines, and a consumer
fresh() {
	sl listener del l 2>/dev/null
	if [ -n "$consumer" ]; then
		kill -KILL "$consumer" 2>/dev/null
		wait "$consumer" 2>/dev/null
		until_true 10 sl group del g
	fi
	mode=$1
	shift
	options=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	[ $# -eq 0 ] || shift
	# shellcheck disable=SC2086 # words
	sl group add g steer hash target 10s $options
	sl listener add l tcp 0.0.0.0:7000 framing line default group g "$@"
	[ "$mode" = none ] || consumer /tmp/c g "$mode" 2048 64
}

consumer=
net_up

fresh echo
sl rule add l 1 text 0 bad reject
check "a refusal without a reply ends the connection after the replies before it" gets "one|two|" 'one\ntwo\nbad\nthree\n'
check "unanswered counts" counts 1 conns unanswered
sl rule del l 1
sl rule add l 1 text 0 bad drop
check "what a rule drops does not" gets "one|three|" 'one\nbad\nthree\n'
ledger "refused"

fresh echo -- reject-reply 'text:NO\n'
sl rule add l 1 text 0 bad reject
check "with a reply it goes on" gets "one|NO|three|" 'one\nbad\nthree\n'
ledger "refused with a reply"

fresh "done"
check "a consumer may say that there is no reply" gets "" 'one\ntwo\n'
check "and that ends nothing" counts 0 conns unanswered
ledger "no reply"

fresh none no-consumer hold 300ms -- reject-reply 'text:NO\n'
sl rule add l 1 text 0 soon group g deadline 20ms
check "what expires gets the reject reply, in its turn" gets "NO|NO|NO|" 'one\nsoon\nthree\n'
check "it has expired" [ "$(outcome expired_backlog)" -eq 1 ]
ledger "expired"

for crash in requeue reissue; do
	fresh half crash $crash no-consumer hold 1h -- reject-reply 'text:NO\n'
	client /tmp/torn 10.7.0.1 7000 raw half 'one\ntwo\n'
	check "$crash: half a reply has gone" until_true 20 sh -c "ip netns exec srv sluice -j conn show | grep -q '\"sent_bytes\": *5\>'"
	kill -KILL "$consumer"
	wait "$consumer" 2>/dev/null
	consumer /tmp/c g echo 2048 64
	wait "$client"
	check "$crash: half a reply, then the end" grep -qx 'first' /tmp/torn
	check "$crash: nothing after it" sh -c "tr '\n' '|' </tmp/torn | grep -q '^first|closed after 5 bytes'"
	check "$crash: unanswered counts" counts 1 conns unanswered
	ledger "$crash"
done
sl listener del l
cleanup
check "unload" until_true 20 rmmod sluice
done_testing
