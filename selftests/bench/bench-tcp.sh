# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced in the guest after bench-net.sh: servers over TCP, each with cost-tcp as its client.

with_sluice() { # FRAMING COMMAND...
	local status=0
	sluice group add echo steer hash backlog 0
	sluice listener add bench tcp 10.9.0.1:7000 framing "$1" default group echo
	"${@:2}" || status=$?
	sluice check -q || status=1
	sluice listener del bench
	sluice group del echo
	return $status
}

# free: the port is
free() { while ss -Htln 'sport = :7000' | grep -q .; do sleep 0.1; done; }

memcached_cost() {
	free
	memcached -u root -t 1 -l 10.9.0.1 -p 7000 -U 0 &
	until ss -Htln 'sport = :7000' | grep -q .; do sleep 0.1; done
	cost-tcp memcached outside "$@" $! || true
	kill $!
	wait $! || true
}

sluiced_cost() {
	local status=0
	printf 'group echo handler kv workers 1 tx kick spin 0us {\n\tmemory 32M\n}\n' >/tmp/sluiced.conf
	sluiced -c /tmp/sluiced.conf 2>/tmp/sluiced.log &
	daemon=$!
	until grep -q serving /tmp/sluiced.log; do sleep 0.1; done
	cost-tcp sluiced outside "$@" $daemon || status=$?
	kill $daemon
	wait $daemon || true
	return $status
}
