#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# sluiced serves its key-value store to a client that is not ours: libmemcached's load generator, over UDP, which
# verifies what it reads.
. ./lib.sh
. ./daemon.sh

net_up
cat >/tmp/sluiced.conf <<'CONF'
drain-timeout 20s
group cache handler kv workers 2 {
	memory 32M
}
CONF
sl group add cache steer hash key token 8 1
sl listener add l udp 10.7.0.1:11211 default group cache
daemon
check "it serves" says 'info: serving'
check "two rings are attached" [ "$(sl ring show | grep -c attached)" -eq 2 ]
cli timeout 200 memcaslap -s 10.7.0.1:11211 --udp -T 1 -c 4 -x 4000 -v 1.0 >/tmp/slap 2>&1
sed 's/^/# /' /tmp/slap
check "its load generator ends well" grep -q '^Run time:' /tmp/slap
for zero in get_misses verify_misses verify_failed packet_disorder packet_drop; do
	check "$zero is 0" grep -q "^$zero: 0\$" /tmp/slap
done
kill -USR1 "$daemon"
check "statistics on SIGUSR1" says 'worker 1: ring .* kv: '
check "exit status 0 on SIGTERM" ended TERM
check "drained" says 'drained: every request'
check "nothing was rejected" [ "$(outcome rejected_crash)" -eq 0 ]
check "ledger closed" sl check
sed 's/^/# /' /tmp/sluiced.log
done_testing
