# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by the tests of connections that processes hand over: their owners, and the listener.
# shellcheck source=selftests/net/tcp_lib.sh
. ./tcp_lib.sh

server=

# serve MODE: a server on port 7000 that hands each connection to listener l; its output is in /tmp/o
serve() {
	rm -f /tmp/o # what the last one said is no sign that this one is ready
	ip netns exec srv ./tcp_adopt serve 7000 "$1" >/tmp/o 2>&1 &
	server=$!
	consumers="$consumers $server"
	until_true 60 grep -qE '^(ready|error)' /tmp/o
}

# owners: the processes that have a connection
owners() { sed -n 's/^adopted //p' /tmp/o; }

end_server() {
	local p
	for p in $(owners) "$server"; do
		kill -KILL "$p" 2>/dev/null
	done
	wait "$server" 2>/dev/null
}

mixed() { cli ./tcp_adopt mixed 10.7.0.1 7000 "$@"; }
listener() { sl listener add l tcp handed framing line default group g && sl rule add l 1 text 0 own pass; }
no_wrongs() { ! grep -E 'wrong|error' /tmp/o; }
