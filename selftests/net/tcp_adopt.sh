#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# A listening socket that a process hands over: its connections are the kernel's until it is given back, or closed.
. ./tcp_lib.sh

# owner COMMAND: a process with a socket that listens on port 7000; words for it go to descriptor 8
owner() {
	rm -f /tmp/words /tmp/o
	mkfifo /tmp/words
	ip netns exec srv ./tcp_adopt listen 7000 "$1" </tmp/words >/tmp/o 2>&1 8>&- &
	owner=$!
	consumers="$consumers $owner"
	exec 8>/tmp/words
	until_true 60 grep -qE '^(ready|error)' /tmp/o
}

closed() { sl -j listener show l | grep -q '"closed": *true'; }

end_owner() {
	kill -KILL "$owner"
	wait "$owner" 2>/dev/null
	exec 8>&-
}

# says TEXT ANSWER: a client that says it, ends its side, and hears this
says() {
	cli ./tcp_client 10.7.0.1 7000 raw half "$1\n" | head -n 1 | grep -qx "$2"
}

add="sluice listener add l tcp fd 9 framing line default group g"
net_up
sl group add g steer hash target 1h
consumer /tmp/c g echo

owner "$add || exit 9
	sluice listener add twice tcp fd 9 framing line; test \$? -eq 1 || exit 8
	sluice listener add l2 tcp fd 9 framing line accept-backlog 5; test \$? -eq 1 || exit 8
	sluice rule add l 1 text 0 own pass; test \$? -eq 1"
check "adopted, not twice, nor with what is the owner's to say, and nothing is passed to nobody" sh -c "cat /tmp/o; grep -qx ready /tmp/o"
check "listener show says so" sh -c "ip netns exec srv sluice listener show l | grep -q 'tcp 0.0.0.0:7000' && ip netns exec srv sluice listener show l | grep -q 'adopted socket'"
check "its connections are served" says one one
client /tmp/open 10.7.0.1 7000 open 3
check "and open ones are the kernel's" counts 3 conns conns
ledger "adopted"
sl listener del l
check "those end with the listener" until_true 20 grep -q '^ended 3' /tmp/open
stop_client
echo accept >&8
check "given back, the owner accepts as before" says two own:two
end_owner

owner "(./tcp_client 10.7.0.1 7000 raw half 'early\n' >/tmp/early 2>&1 </dev/null 8>&- &)
	until ss -Htln 'sport = 7000' | grep -q ' 1 '; do sleep 0.05; done
	$add"
check "who waited in the backlog before is served" until_true 20 grep -qx early /tmp/early
end_owner
check "the owner dies: the listener says closed" \
	until_true 20 closed
check "and the port is free" until_true 20 sl listener add m tcp 0.0.0.0:7000 framing line default group g
sl listener del m
sl listener del l

owner "$add"
client /tmp/out 10.7.0.1 7000 open 2
counts 2 conns conns
echo close >&8
check "the owner closes it" until_true 20 closed
check "its connections live on" counts 2 conns conns
check "and nobody listens any more" sh -c "! ip netns exec cli ./tcp_client 10.7.0.1 7000 raw half x"
ledger "closed"
sl listener del l
stop_client
end_owner

owner "$add"
echo shutdown >&8
check "the owner shuts it down: the same" \
	until_true 20 closed
sl listener del l
end_owner

owner "sluice listener add l tcp fd 0 framing line; test \$? -eq 1 && sluice listener add l tcp fd 77 framing line; test \$? -eq 1"
check "what is no listening TCP socket is refused" grep -qx ready /tmp/o
end_owner

# the namespace goes although clients hold connections open that came by a process's socket
owner "$add"
client /tmp/open 10.7.0.1 7000 open 4
counts 4 conns conns
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
end_owner
ip netns del srv
check "the namespace goes, and its connections with it" until_true 60 grep -q '^ended 4' /tmp/open
cleanup
check "unload" until_true 20 rmmod sluice
done_testing
