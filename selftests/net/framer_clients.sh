#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# sluiced behind the BPF framers that come with Sluice, to memcached's and Redis's own clients.
. ./lib.sh
. ./daemon.sh
. ./tcp_lib.sh

redis() { cli timeout 60 redis-cli -h 10.7.0.1 -p 6379 "$@"; }

# says_redis ANSWER COMMAND...: redis-cli prints just this
says_redis() {
	want=$1
	shift
	got=$(redis "$@" 2>&1 | tr '\n' ' ')
	[ "$got" = "$want " ] || { echo "$*: \"$got\", not \"$want\""; return 1; }
}

net_up
cat >/tmp/sluiced.conf <<'CONF'
drain-timeout 20s
group cache handler kv workers 2 slots 2048:512 65536:32 {
	memory 32M
}
group strings handler redis workers 2 slots 2048:512 {
	memory 32M
}
CONF
sl group add cache steer hash key token 0 1 target 1h
sl group add strings steer hash target 1h
sl listener add memcached tcp 10.7.0.1:11211 framing bpf memcached default group cache
sl listener add redis tcp 10.7.0.1:6379 framing bpf resp default group strings
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
check "PING" says_redis PONG ping
check "SET" says_redis OK set name sluice
check "GET" says_redis sluice get name
check "MSET" says_redis OK mset a 1 b 2
check "MGET" says_redis "1 2" mget a b
for pipeline in 1 16; do
	cli timeout 150 redis-benchmark -h 10.7.0.1 -p 6379 -t ping,set,get,incr,mset -n "${REQUESTS:-400}" -c 10 -P $pipeline \
		--csv >/tmp/bench 2>&1
	status=$?
	sed 's/^/# /' /tmp/bench
	check "redis-benchmark, $pipeline at once, ends well" [ $status -eq 0 ]
	for test in PING_INLINE PING_MBULK SET GET INCR MSET; do
		check "it ran $test" grep -q "^\"$test" /tmp/bench
	done
	check "without an error" sh -c "! grep -qi error /tmp/bench"
done
check "no connection was broken" [ "$(($(conns broken) + $(conns oversize) + $(conns memory)))" -eq 0 ]
ledger "memcached's and Redis's clients"
check "exit status 0 on SIGTERM" ended TERM
check "ledger closed after it" sl check
cleanup
check "unload" until_true 20 rmmod sluice
done_testing
