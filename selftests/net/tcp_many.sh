#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Ten thousand open connections, a hundred of them active: what an idle one costs, and that all go at unload.
. ./tcp_lib.sh

count=10000
[ "${SLUICE_SLOW:-1}" -lt 40 ] || count=1000

kernel_kib() { awk '/^(Slab|KernelStack|Percpu|VmallocUsed):/ { s += $2 } END { print s }' /proc/meminfo; }

net_up
cli sysctl -qw net.ipv4.ip_local_port_range="1024 65000" 2>/dev/null || cli sh -c 'echo 1024 65000 >/proc/sys/net/ipv4/ip_local_port_range'
sl group add g steer hash target 1h
sl listener add l tcp 0.0.0.0:7000 framing length default group g
consumer /tmp/c g echo
before=$(kernel_kib)
client /tmp/open 10.7.0.1 7000 open $count
check "$count connections" until_true 300 grep -q "^open $count" /tmp/open
check "all are open" until_true 60 number $count conns conns
after=$(kernel_kib)
echo "# memory of the kernel per connection, both ends of it and the client's file: $(((after - before) * 1024 / count)) bytes"
status=0
for _ in $(seq 100); do
	tcp 10.7.0.1 7000 echo 20 64 >/tmp/e 2>&1 || status=1
done
check "a hundred others are served meanwhile" [ $status -eq 0 ]
check "conn show lists them all" sh -c "ip netns exec srv sluice conn show | grep -c '^conn ' | grep -qx $count"
ledger "many"
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
check "the module unloads with all of them open" until_true 20 rmmod sluice
check "every client sees the end" until_true 120 grep -q "^ended $count" /tmp/open
done_testing
