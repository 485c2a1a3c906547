#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A memcached client served over XDP, native on veth: libmemcached's load generator, which verifies what it reads.
# $SLUICE_REQUESTS (4000) says how many requests; 10^6 of them: make xdp-million.
. ./lib.sh
. ./daemon.sh

net_up
cli ethtool -K c0 gro on >/dev/null
requests=${SLUICE_REQUESTS:-4000}
cat >/tmp/sluiced.conf <<'CONF'
drain-timeout 20s
group cache handler kv workers 2 {
	memory 64M
}
CONF
sl group add cache steer hash key token 8 1 target 1h
sl listener add kv xdp dev s0 udp 10.7.0.1:11211 default group cache
daemon
check "native" sh -c "ip netns exec srv sluice listener show kv | grep -q 'XDP native'"
cli timeout "${SLUICE_TIMEOUT:-200}" memcaslap -s 10.7.0.1:11211 --udp -T 1 -c 8 -x "$requests" -v 1.0 >/tmp/slap 2>&1
sed 's/^/# /' /tmp/slap
check "its load generator ends well" grep -q '^Run time:' /tmp/slap
for zero in get_misses verify_misses verify_failed packet_disorder packet_drop; do
	check "$zero is 0" grep -q "^$zero: 0\$" /tmp/slap
done
check "all of it was taken by XDP" [ "$(outcome answered)" -ge "$requests" ]
check "ledger closed" sl check
check "exit status 0 on SIGTERM" ended TERM
sl stats listener | sed 's/^/# /'
sl listener del kv
cleanup
check "unload" rmmod sluice
done_testing
