#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# One sluiced takes the place of another, again and again, under load: the new one joins the group, the old one drains, and
# no request is lost or refused.
. ./lib.sh
. ./daemon.sh

lost() {
	sl -j stats listener | tr -s ',{}' '\n' | sed -n 's/.*"\(rejected\|dropped\)_[a-z_]*": *\([0-9]*\).*/\2/p' |
		awk '{ s += $1 } END { print s + 0 }'
}

net_up
echo "group echo handler echo workers 2 slots 512:256" >/tmp/sluiced.conf
sl group add echo steer hash no-consumer reject
sl listener add l udp 10.7.0.1:7000 default group echo
daemon_options="--pid-file /tmp/sluiced.pid"
daemon
first=$daemon
check "its process id is in the file" [ "$(cat /tmp/sluiced.pid)" -eq "$first" ]
status=0
srv sluiced -c /tmp/sluiced.conf -p /tmp/sluiced.pid 2>/tmp/second || status=$?
check "a second one does not start beside it" [ "$status" -eq 1 ]
check "and says what to do" grep -q 'add --replace' /tmp/second

ip netns exec cli sluice-load --target 10.7.0.1:7000 --protocol raw --rate 300 --duration 12s --timeout 10s --allow-late \
	--json >/tmp/load 2>/dev/null &
load=$!
consumers="$consumers $load"
check "load comes" until_true 60 sh -c "[ \$(ip netns exec srv sluice -j stats listener | tr -s ',{}' '\n' |
	sed -n 's/.*\"answered\": *\([0-9]*\).*/\1/p' | awk '{ s += \$1 } END { print s + 0 }') -gt 300 ]"
daemon_options="--pid-file /tmp/sluiced.pid --replace"
for round in 1 2 3; do
	old=$daemon
	daemon
	status=0
	wait "$old" || status=$?
	check "$round: the old one has left with status 0" [ "$status" -eq 0 ]
	check "$round: the new one's process id is in the file" [ "$(cat /tmp/sluiced.pid)" -eq "$daemon" ]
done
wait "$load"
ok $? "no request was lost, no answer wrong"
sed 's/^/# /' /tmp/load
check "two rings are attached" [ "$(sl ring show | grep -c attached)" -eq 2 ]
check "nothing was rejected or dropped" [ "$(lost)" -eq 0 ]
check "ledger closed" sl check

kill -KILL "$daemon"
wait "$daemon"
check "the file of one that was killed stays" [ -e /tmp/sluiced.pid ]
daemon
check "and hinders nobody" [ "$(cat /tmp/sluiced.pid)" -eq "$daemon" ]
check "exit status 0" ended TERM
check "the file is gone" [ ! -e /tmp/sluiced.pid ]
check "ledger closed at the end" sl check
sed 's/^/# /' /tmp/sluiced.log
done_testing
