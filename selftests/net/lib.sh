# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests: two namespaces joined by a pair of devices, KTAP, and questions to the ledger.

n=0
failures=0
consumers=
consumer=

ok() { # STATUS DESCRIPTION
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		failures=$((failures + 1))
	fi
}

# check DESCRIPTION COMMAND...
check() {
	local what=$1 status=0
	shift
	"$@" >/tmp/check.out 2>&1 || status=$?
	[ "$status" -eq 0 ] || sed 's/^/# /' /tmp/check.out
	ok "$status" "$what"
}

done_testing() {
	echo "1..$n"
	[ "$failures" -eq 0 ]
}

# refused DESCRIPTION COMMAND...: a sluice command that has to be refused by what it asks for, not for want of it
refused() {
	local what=$1 status=0
	shift
	srv "$@" >/tmp/check.out 2>&1 || status=$?
	[ "$status" -eq 1 ] || sed 's/^/# /' /tmp/check.out
	[ "$status" -eq 1 ]
	ok $? "$what"
}

# until_true SECONDS COMMAND...: wait for a condition
until_true() {
	local left=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		left=$((left - 1))
		[ $left -gt 0 ] || return 1
		sleep 0.05
	done
}

cleanup() {
	local c
	for c in $consumers; do
		kill -KILL "$c" 2>/dev/null
		wait "$c" 2>/dev/null
	done
	ip netns del srv 2>/dev/null
	ip netns del cli 2>/dev/null
	until_true 10 gone
}

gone() { ! ip netns list | grep -qE '^(srv|cli)'; }

net_up() {
	if ! command -v sluice >/dev/null || ! sluice --version >/dev/null; then
		echo "Bail out! the sluice command is missing"
		exit 1
	fi
	trap cleanup EXIT
	modprobe sluice 2>/dev/null
	ip netns add srv
	ip netns add cli
	ip -n srv link add s0 type veth peer name c0 netns cli
	ip -n srv addr add 10.7.0.1/24 dev s0
	ip -n srv addr add 10.7.0.11/24 dev s0
	ip -n srv addr add fd07::1/64 dev s0 nodad
	ip -n cli addr add 10.7.0.2/24 dev c0
	ip -n cli addr add fd07::2/64 dev c0 nodad
	ip -n srv link set lo up
	ip -n srv link set s0 up
	ip -n cli link set c0 up
}

srv() { ip netns exec srv "$@"; }
cli() { ip netns exec cli "$@"; }
sl() { srv sluice "$@"; }
probe() { cli ./udp_probe "$@"; }

# consumer FILE ARGS...: start a ring_client; its output goes to FILE; its pid to $consumer
consumer() {
	local out=$1
	shift
	rm -f "$out" # what the last one said is no sign that this one is ready
	ip netns exec srv ./ring_client "$@" >"$out" 2>&1 &
	consumer=$!
	consumers="$consumers $consumer"
	until_true 20 grep -q 'ready\|error' "$out"
}

# outcome NAME: how many requests the listeners of srv ended so, from the JSON of stats
outcome() {
	sl -j stats listener | tr -s ',{}' '\n' | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | awk '{ s += $1 } END { print s + 0 }'
}
