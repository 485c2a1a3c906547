#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Under load: workers come and go, rings and memory change, a bad configuration is refused, the daemon drains, is killed
# and comes back. No request is lost and no key is missed but by the kill.
. ./lib.sh
. ./daemon.sh

# write_config WORKERS SLOTS MEMORY
write_config() {
	cat >/tmp/sluiced.conf <<-CONF
		drain-timeout 30s
		group cache handler kv workers $1 slots $2 {
			memory $3
		}
	CONF
}

# load_start SECONDS OPTIONS...
load_start() {
	seconds=$1
	shift
	ip netns exec cli sluice-load --target 10.7.0.1:11211 --protocol memcached --rate 300 --duration "${seconds}s" \
		--keys 500 --timeout 10s --allow-late --json "$@" >/tmp/load 2>/tmp/load.err &
	load=$!
	consumers="$consumers $load"
}

value() { sed -n "s/.*\"$1\":\"\?\([^,\"}]*\).*/\1/p" /tmp/load; }

rings() { [ "$(sl ring show | grep -c attached)" -eq "$1" ]; }

net_up
write_config 2 2048:256 16M
sl group add cache steer hash key token 8 1 target 1h no-consumer hold 20s
sl listener add l udp 10.7.0.1:11211 default group cache
daemon
load_start 12
check "the keys are there" until_true 60 sh -c "ip netns exec srv sluice -j stats listener | tr -s ',{}' '\n' |
	sed -n 's/.*\"answered\": *\([0-9]*\).*/\1/p' | awk '{ exit !(\$1 > 1200) }'"
write_config 3 2048:256 16M
check "a third worker" reload
check "three rings" rings 3
write_config 1 2048:256 16M
check "one worker" reload
check "one ring" rings 1
write_config 1 1024:128 24M
check "another ring and more memory" reload
check "still one ring" until_true 10 rings 1
write_config 2 2048:256 24M
check "two again" reload
echo "group cache handler kv workers many" >/tmp/sluiced.conf
check "a bad configuration" reload
check "it is refused with file and line" says '/tmp/sluiced.conf:1: workers wants a number'
check "and changes nothing" rings 2
wait "$load"
ok $? "no request lost, none wrong, no key missed ($(value offered) offered, $(value hits) hits)"
sed 's/^/# /' /tmp/load
check "ledger closed" sl check

write_config 2 2048:256 24M
load_start 6 --no-preload
before=$(outcome answered)
check "load comes" until_true 30 sh -c "[ \$(ip netns exec srv sluice -j stats listener | tr -s ',{}' '\n' |
	sed -n 's/.*\"answered\": *\([0-9]*\).*/\1/p' | awk '{ s += \$1 } END { print s + 0 }') -gt $((before + 100)) ]"
check "SIGTERM under load: exit status 0" ended TERM
check "nothing was rejected by the drain" [ "$(outcome rejected_crash)" -eq 0 ]
daemon
wait "$load"
ok $? "the requests of the meantime were held and answered ($(value offered) offered, $(value answered) answered)"
sed 's/^/# /' /tmp/load
check "none was rejected for want of a consumer" [ "$(outcome rejected_no_consumer)" -eq 0 ]
check "ledger closed after it" sl check

load_start 6 --no-preload --max-loss 1 --max-miss 1
before=$(outcome answered)
check "load comes" until_true 30 sh -c "[ \$(ip netns exec srv sluice -j stats listener | tr -s ',{}' '\n' |
	sed -n 's/.*\"answered\": *\([0-9]*\).*/\1/p' | awk '{ s += \$1 } END { print s + 0 }') -gt $((before + 100)) ]"
kill -KILL "$daemon"
wait "$daemon"
daemon
wait "$load"
check "killed and started again, it serves: the last requests are answered" \
	sh -c "ip netns exec cli python3 -c \"
from kv_client import Kv
assert Kv('10.7.0.1', 11211).ask(b'set a 0 0 1\r\nb\r\n') == b'STORED\r\n'\""
check "ledger closed after the kill" sl check
check "exit status 0" ended TERM
check "ledger closed at the end" sl check
sed 's/^/# /' /tmp/sluiced.log
done_testing
