# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest: how many system calls a consumer makes under load.
set -e
requests=${REQUESTS:-20032}
. /bench-net.sh
t=/sys/kernel/tracing
mount -t tracefs none $t 2>/dev/null || true

sluice group add echo steer hash
sluice listener add bench udp 0.0.0.0:7000 default group echo
cost consume "$requests" >/tmp/consumer &
consumer=$!
until grep -q ready /tmp/consumer; do sleep 0.1; done
echo $consumer >$t/set_event_pid
echo 1 >$t/events/raw_syscalls/sys_enter/enable
# what follows is the load; tracing is off again before the consumer says how much it took
ip netns exec bench true
cost offer $((requests - 64))
echo 0 >$t/events/raw_syscalls/sys_enter/enable
calls=$(cat $t/per_cpu/cpu*/stats | awk '/^entries|^overrun/ { n += $2 } END { print n }')
sluice check -q
cat /sys/devices/system/clocksource/clocksource0/current_clocksource
echo "syscalls $((requests - 64)) $calls"
kill $consumer
wait $consumer 2>/dev/null || true
sluice listener del bench
sluice group del echo
