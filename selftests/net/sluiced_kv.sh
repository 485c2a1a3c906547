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
group redis handler redis workers 2
CONF
sl group add cache steer hash key token 8 1 target 1h
sl group add redis steer hash target 1h
sl listener add r udp 10.7.0.1:6379 default group redis
sl listener add l udp 10.7.0.1:11211 default group cache
daemon
check "it serves" says 'info: serving'
check "four rings are attached" [ "$(sl ring show | grep -c attached)" -eq 4 ]
cli timeout 200 memcaslap -s 10.7.0.1:11211 --udp -T 1 -c 4 -x 4000 -v 1.0 >/tmp/slap 2>&1
sed 's/^/# /' /tmp/slap
check "its load generator ends well" grep -q '^Run time:' /tmp/slap
for zero in get_misses verify_misses verify_failed packet_disorder packet_drop; do
	check "$zero is 0" grep -q "^$zero: 0\$" /tmp/slap
done
# shellcheck disable=SC2016
check "Redis's protocol in datagrams, from sockets that are steered to both workers" cli python3 -c '
import socket
for n in range(1, 33):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(20)
    s.connect(("10.7.0.1", 6379))
    for ask, want in ((b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n", b":%d\r\n" % n), (b"MSET a 1 b 2 c 3\r\n", b"+OK\r\n"),
                      (b"MGET c none b a\r\n", b"*4\r\n$1\r\n3\r\n$-1\r\n$1\r\n2\r\n$1\r\n1\r\n")):
        s.send(ask)
        got = s.recv(65536)
        assert got == want, (ask, got)
'
kill -USR1 "$daemon"
check "statistics on SIGUSR1" says 'group cache worker 1: ring .* kv: '
check "exit status 0 on SIGTERM" ended TERM
check "drained" says 'drained: every request'
check "nothing was rejected" [ "$(outcome rejected_crash)" -eq 0 ]
check "ledger closed" sl check
sed 's/^/# /' /tmp/sluiced.log
done_testing
