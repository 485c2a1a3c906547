# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests of TCP: listeners, clients, and what their connections came to.
# shellcheck source=selftests/net/lib.sh
. ./lib.sh

tcp() { cli ./tcp_client "$@"; }

# client FILE ARGS...: start a tcp_client; its output goes to FILE; its pid to $client
client() {
	local out=$1
	shift
	rm -f "$out"
	ip netns exec cli ./tcp_client "$@" >"$out" 2>&1 &
	client=$!
	consumers="$consumers $client"
}

# stop_client: kill the client that was started last
stop_client() {
	kill -KILL "$client" 2>/dev/null
	wait "$client" 2>/dev/null
}

# conns NAME: a connection count of all listeners
conns() {
	sl -j listener show | tr -s ',{}' '\n' | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | awk '{ s += $1 } END { print s + 0 }'
}

# counts N COMMAND...: a command that prints a number prints this one, soon
counts() {
	local want=$1
	shift
	until_true 20 number "$want" "$@" || { echo "$* says $("$@"), not $want"; return 1; }
}

number() {
	local want=$1
	shift
	[ "$("$@")" -eq "$want" ]
}

# every connection that was accepted or adopted is open or ended in one way
conns_close() {
	sl -j listener show | tr -s ',{}' '\n' | awk -F '[":]+ *' '
		$2 ~ /^(accepted|adopted)$/ && $3 + 0 == $3 { sum += $3 }
		$2 ~ /^(conns|closed|reset|truncated|broken|oversize|slow|stalled|idle|killed|memory|unanswered|owner|given_back)$/ &&
			$3 + 0 == $3 { sum -= $3 }
		END { exit sum != 0 }'
}

ledger() {
	check "$1: every request is accounted for" sl check
	check "$1: every connection is accounted for" until_true 20 conns_close
}

# outcome_class NAME: how many requests the classes of srv ended so
outcome_class() {
	sl -j stats class | tr -s ',{}' '\n' | sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p" | awk '{ s += $1 } END { print s + 0 }'
}
