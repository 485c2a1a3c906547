#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# What sluiced says and does about its configuration, its rights, its plug-in, its service manager, and a ring that it
# is robbed of.
. ./lib.sh
. ./daemon.sh

# status_of EXPECTED TEXT COMMAND...: exit status and words of a command that is refused
status_of() {
	want=$1
	text=$2
	got=0
	shift 2
	srv timeout 30 "$@" >/tmp/out 2>&1 || got=$?
	cat /tmp/out
	[ "$got" -eq "$want" ] && grep -q -- "$text" /tmp/out
}

net_up
sl group add letters steer hash owner 65534
sl listener add l udp 0.0.0.0:7000 default group letters

cat >/tmp/sluiced.conf <<'CONF'
log debug
group letters handler letters workers 2 \
	cpus 0 {
	case lower	# a comment
}
CONF
check "--check: good" status_of 0 'good, 1 group' sluiced -c /tmp/sluiced.conf --check
sed 's/case lower/case none/' /tmp/sluiced.conf >/tmp/bad.conf
check "--check: a plug-in's option, by its line" status_of 3 '/tmp/bad.conf:4: handler letters knows' \
	sluiced -c /tmp/bad.conf --check
check "an unknown option of the command" status_of 2 'Try sluiced --help' sluiced --what
check "a bad configuration does not start" status_of 3 '/tmp/bad.conf:4:' sluiced -c /tmp/bad.conf
check "a missing one neither" status_of 3 'No such file' sluiced -c /tmp/none.conf
echo "group other handler echo" >/tmp/other.conf
check "no such group" status_of 4 'sluice group add' sluiced -c /tmp/other.conf
check "somebody who does not own the group" status_of 4 "owner" \
	setpriv --reuid 1234 --regid 1234 --clear-groups --inh-caps=-all --bounding-set=-all sluiced -c /tmp/sluiced.conf

run_as="setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs"
daemon
check "its owner, without any privilege, serves it with a plug-in" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 'Hello You' 1 5000 | grep -q ' hello you'"
check "it runs as nobody" grep -q '^Uid:.65534.65534' "/proc/$daemon/status"
check "two threads are pinned to processor 0" \
	[ "$(cat "/proc/$daemon"/task/*/status | grep -c '^Cpus_allowed_list:.0$')" -eq 2 ]
sed -i 's/case lower/case upper/' /tmp/sluiced.conf
check "SIGHUP changes the plug-in's option" reload
check "and it serves so" \
	sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 'Hello You' 1 5000 | grep -q ' HELLO YOU'"
cp /tmp/bad.conf /tmp/sluiced.conf
check "SIGHUP with a bad configuration" reload
check "says what is wrong" says '/tmp/sluiced.conf:4: handler letters knows'
check "and serves on" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 'Hello You' 1 5000 | grep -q ' HELLO YOU'"

for ring in $(sl ring show | sed -n 's/^ring \([0-9]*\).*/\1/p'); do
	sl ring del "$ring"
done
check "robbed of its rings it says so" says 'its ring was detached'
check "and opens others" until_true 30 sh -c "[ \$(grep -c 'serves again' /tmp/sluiced.log) -eq 2 ]"
check "and serves on" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 'Hello You' 1 5000 | grep -q ' HELLO YOU'"
echo "group letters handler echo" >/tmp/sluiced.conf
check "another handler for the group" reload
check "it serves" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 'Hello You' 1 5000 | grep -q ' Hello You'"
check "exit status 0" ended TERM
check "ledger closed" sl check

# The service manager's side of the socket, and a second group on SIGHUP.
run_as=
sl group add more steer hash
sl listener add m udp 0.0.0.0:7001 default group more
python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/tmp/notify")
while True:
    print(s.recv(4096).decode().replace("\n", " "), flush=True)
' >/tmp/notified &
consumers="$consumers $!"
check "a service manager listens" until_true 20 [ -S /tmp/notify ]
run_as="env NOTIFY_SOCKET=/tmp/notify WATCHDOG_USEC=1000000"
daemon
check "READY" until_true 20 grep -q '^READY=1 STATUS=serving 1 group' /tmp/notified
check "WATCHDOG, time and again" until_true 60 sh -c "[ \$(grep -c '^WATCHDOG=1' /tmp/notified) -ge 3 ]"
echo "group more handler echo" >>/tmp/sluiced.conf
check "SIGHUP with a second group" reload
check "it is served" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7001 'Hello You' 1 5000 | grep -q ' Hello You'"
check "RELOADING and READY" until_true 20 grep -q '^READY=1 STATUS=serving 2 groups' /tmp/notified
check "with the time" grep -q '^RELOADING=1 MONOTONIC_USEC=[0-9]' /tmp/notified
echo "group more handler echo spin 0us" >/tmp/sluiced.conf
check "SIGHUP without the first group" reload
check "its ring is gone" [ "$(sl ring show | grep -c attached)" -eq 1 ]
check "the other one is served" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7001 'Hello You' 1 5000 | grep -q ' Hello You'"
dogs=$(grep -c '^WATCHDOG=1' /tmp/notified)
check "WATCHDOG of a worker that sleeps at once, and idles" until_true 60 sh -c "[ \$(grep -c '^WATCHDOG=1' /tmp/notified) -ge $((dogs + 3)) ]"
check "none hangs" sh -c "! grep -q 'hangs in its handler' /tmp/sluiced.log"
check "exit status 0 again" ended TERM
check "STOPPING" grep -q '^STOPPING=1' /tmp/notified
check "ledger closed at the end" sl check
sed 's/^/# /' /tmp/sluiced.log
done_testing
