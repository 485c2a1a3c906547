#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# One store of sluiced behind two listeners: Redis's own client and benchmark on one, memcached's on the other.
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
group cache handler kv workers 2 slots 2048:512 {
	memory 32M
}
group strings handler redis workers 2 slots 2048:512 {
	memory 32M
}
CONF
sl group add cache steer hash target 1h
sl group add strings steer hash target 1h
sl listener add inline tcp 10.7.0.1:6380 framing resp default group strings
sl listener add redis tcp 10.7.0.1:6379 framing resp default group cache
sl listener add memcached tcp 10.7.0.1:11211 framing memcached default group cache
daemon
check "it serves" says 'info: serving'
check "PING" says_redis PONG ping
check "SET" says_redis OK set name sluice
check "GET" says_redis sluice get name
check "a key that is not there" says_redis "" get nothing
check "INCR" says_redis 1 incr hits
check "INCR again" says_redis 2 incr hits
check "MSET" says_redis OK mset a 1 b 2
check "MGET" says_redis "1 2" mget a b
check "DEL" says_redis 2 del a b
check "an error is an error" sh -c "ip netns exec cli redis-cli -h 10.7.0.1 -p 6379 nonsense 2>&1 | grep -q '^ERR '"
check "memcached's client reads what Redis's stored" \
	sh -c "ip netns exec cli memccat --servers=10.7.0.1:11211 name | grep -q '^sluice'"
printf 'hello' >/tmp/greeting
check "memcached's stores" cli memccp --servers=10.7.0.1:11211 /tmp/greeting
check "and Redis's reads" says_redis hello get greeting
for pipeline in 1 16; do
	cli timeout 150 redis-benchmark -h 10.7.0.1 -p 6380 -t ping,set,get,incr,mset -n "${REQUESTS:-400}" -c 10 -P $pipeline \
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
check "nothing was refused" [ "$(outcome rejected_overload)" -eq 0 ]
ledger "Redis's clients"
check "exit status 0 on SIGTERM" ended TERM
check "ledger closed after it" sl check
done_testing
