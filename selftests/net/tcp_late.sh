#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A connection that is handed over while a call of its owner's is about to change what the socket is.
. ./handed_lib.sh

# late WHAT: an owner whose call for it goes on when its connection is adopted; it closes that at a word from descriptor 8
late() {
	rm -f /tmp/words /tmp/o
	mkfifo /tmp/words
	ip netns exec srv ./tcp_late 7000 "$1" </tmp/words >/tmp/o 2>&1 8>&- &
	server=$!
	consumers="$consumers $server"
	exec 8>/tmp/words
	until_true 60 grep -qE '^(ready|error|missing)' /tmp/o
}

net_up
sl group add g steer hash target 1h
consumer /tmp/c g echo 2048 64
listener
late ulp
if grep -q missing /tmp/o; then
	cleanup
	echo "1..0 # SKIP this kernel has no userfaultfd"
	exit 4
fi
client /tmp/out 10.7.0.1 7000 raw hold 'ring1\n'
check "kTLS comes too late, or there is none" until_true 60 grep -qE '^late (File exists|No such file)' /tmp/o
check "the connection is served" until_true 20 grep -qx ring1 /tmp/out
echo >&8
check "and closed by its owner" counts 1 conns owner
end_server
stop_client
ledger "ulp"

late addrform
client /tmp/out 10.7.0.1 7000 raw hold 'ring1\n'
check "the socket changes its family" until_true 60 grep -qx 'late done' /tmp/o
check "the connection is served all the same" until_true 20 grep -qx ring1 /tmp/out
echo >&8
check "and closed by its owner" counts 2 conns owner
check "the client sees the end" until_true 20 grep -qE '^(closed|reset) after' /tmp/out
end_server
stop_client
ledger "addrform"

late addrform
client /tmp/out 10.7.0.1 7000 raw hold 'ring1\n'
check "another" until_true 60 grep -qx 'late done' /tmp/o
sl listener del l
echo >&8
check "is its owner's, and closed by it, after the listener went" until_true 20 grep -qE '^(closed|reset) after' /tmp/out
end_server
cleanup
check "unload" until_true 20 rmmod sluice
done_testing
