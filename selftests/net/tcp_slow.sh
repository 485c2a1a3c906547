#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A client that never reads and one that sends a byte a second harm no other, and what they cost stays bounded, for as long
# as they stay. Environment: SLOW, for how many seconds (3).
. ./tcp_lib.sh

SIZE=4000 LIMIT=65536 PIPELINE=64

# queued: bytes of replies that wait in the connections
queued() { sl -j conn show | tr -s ',{}' '\n' | sed -n 's/.*"queued_bytes": *//p' | awk '{ s += $1 } END { print s + 0 }'; }

# kept: bytes that TCP holds, in all namespaces, in pages that it has asked for
kept() { awk '$1 == "TCP:" { for (i = 2; i < NF; i++) if ($i == "mem") print $(i + 1) * 4096 }' /proc/net/sockstat; }

# slab: bytes of the kernel's unreclaimable objects
slab() { awk '$1 == "SUnreclaim:" { print $2 * 1024 }' /proc/meminfo; }

# at_most NAME LIMIT: the largest value of this in the log
at_most() { awk -v name="$1" -v limit="$2" '$1 == name { n++; if ($2 > max) max = $2 } END { print name, "at most", max; exit !n || max > limit }' /tmp/log; }

net_up
sl group add g steer hash target 1h
sl listener add l tcp 0.0.0.0:7000 framing length default group g send-limit $LIMIT pipeline $PIPELINE send-timeout 1h \
	message-timeout 1h
consumer /tmp/c g echo 4096 128
client /tmp/deaf 10.7.0.1 7000 deaf $SIZE
deaf=$client
client /tmp/drip 10.7.0.1 7000 drip 60000 1000
drip=$client
check "a client that does not read stops being read" until_true 60 grep -q '^blocked' /tmp/deaf
before=$(slab)
end=$(($(date +%s) + ${SLOW:-3}))
runs=0 failed=0
: >/tmp/log
while [ "$(date +%s)" -le $end ] || [ $runs -lt 3 ]; do
	tcp 10.7.0.1 7000 echo 200 40 >/tmp/healthy || failed=$((failed + 1))
	{
		echo "queued $(queued)"
		echo "in_flight $(outcome in_flight)"
		echo "tcp $(kept)"
		echo "slab $(($(slab) - before))"
	} >>/tmp/log
	runs=$((runs + 1))
done
echo "# $runs runs of a healthy client"
check "healthy clients are served, all of it, each time" [ $failed -eq 0 ]
check "replies that wait: the limit, and what was in flight when it was reached" at_most queued $((LIMIT + PIPELINE * SIZE))
sed 's/^/# /' /tmp/check.out
check "requests in flight: a pipeline" at_most in_flight $PIPELINE
# two pairs of sockets: a receive buffer of twice the longest message and 64K, doubled, and a send buffer each
check "what TCP holds" at_most tcp $((2 * (2 * (2 * 65536 + 65536) + 4194304)))
sed 's/^/# /' /tmp/check.out
check "the kernel's objects do not grow" at_most slab 4194304
sed 's/^/# /' /tmp/check.out
check "both are still there" [ "$(conns conns)" -eq 2 ]
check "one is held" sh -c "ip netns exec srv sluice conn show | grep -q 'state held'"
check "the other still sends" kill -0 "$drip"
kill -KILL "$deaf" "$drip"
wait "$deaf" "$drip" 2>/dev/null
check "nothing is left of them" counts 0 conns conns
check "nor in flight" counts 0 outcome in_flight
ledger "slow clients"
cleanup
check "unload" rmmod sluice
done_testing
