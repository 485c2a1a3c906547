# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on the instruction clock: cost of a request over TCP, of an echo and of memcached's GET, in turn.
#
# $SHAPES ("CONNS/PIPELINE ..."), $ROUNDS, $REPEATS
set -e
. /bench-net.sh
. /bench-tcp.sh
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
modprobe sch_plug

echo "kernel $(uname -r)"
for _ in $(seq "$REPEATS"); do
	for shape in $SHAPES; do
		args="$ROUNDS 64 ${shape%/*} ${shape#*/}"
		free
		# shellcheck disable=SC2086
		cost-tcp epoll epoll $args
		free
		# shellcheck disable=SC2086
		with_sluice length cost-tcp sluice sluice $args
		# shellcheck disable=SC2086
		memcached_cost $args
		free
		# shellcheck disable=SC2086
		with_sluice memcached sluiced_cost $args
	done
done
