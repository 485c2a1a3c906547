#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# sluiced serves its key-value store over TCP to clients that are not ours: libmemcached's tools and load generator.
. ./lib.sh
. ./daemon.sh
. ./tcp_lib.sh

net_up
cat >/tmp/sluiced.conf <<'CONF'
drain-timeout 20s
group cache handler kv workers 2 slots 2048:512 65536:32 {
	memory 32M
}
CONF
sl group add cache steer hash key token 0 1 target 1h
sl listener add l tcp 10.7.0.1:11211 framing memcached default group cache
daemon
check "it serves" says 'info: serving'
printf 'hello\n' >/tmp/greeting
head -c 30000 /dev/urandom >/tmp/large
check "memccp stores" cli memccp --servers=10.7.0.1:11211 /tmp/greeting /tmp/large
check "memccat reads" sh -c "ip netns exec cli memccat --servers=10.7.0.1:11211 greeting | grep -q '^hello'"
cli memccat --servers=10.7.0.1:11211 --file=/tmp/large.back large
check "30,000 bytes come back as they were" cmp /tmp/large /tmp/large.back
check "memcrm removes" cli memcrm --servers=10.7.0.1:11211 greeting
check "what was removed is gone" sh -c "! ip netns exec cli memccat --servers=10.7.0.1:11211 greeting | grep -q hello"
cli timeout 200 memcaslap -s 10.7.0.1:11211 -T 1 -c 4 -x 4000 -v 1.0 >/tmp/slap 2>&1
sed 's/^/# /' /tmp/slap
check "its load generator ends well" grep -q '^Run time:' /tmp/slap
for zero in get_misses verify_misses verify_failed; do
	check "$zero is 0" grep -q "^$zero: 0\$" /tmp/slap
done
check "no connection was broken" [ "$(($(conns broken) + $(conns oversize) + $(conns memory)))" -eq 0 ]
ledger "memcached's clients"
check "exit status 0 on SIGTERM" ended TERM
check "ledger closed after it" sl check
done_testing
