#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Requests taken by XDP and answered by the driver: native and generic, IPv4, IPv6, VLAN; what is no request passes.
. ./lib.sh

net_up
# the peer takes frames from our driver only with NAPI; XDP does not see tags that a device keeps beside the frame
cli ethtool -K c0 gro on txvlan off >/dev/null
vlan=
if ip -n srv link add link s0 name s0.5 type vlan id 5 2>/dev/null; then
	vlan=1
	ip -n cli link add link c0 name c0.5 type vlan id 5
	ip -n srv addr add 10.8.0.1/24 dev s0.5
	ip -n cli addr add 10.8.0.2/24 dev c0.5
	ip -n srv link set s0.5 up
	ip -n cli link set c0.5 up
fi

sl group add g steer hash target 1h

# in the namespace srv, with the machine's own bpf file system
host_srv() { nsenter --net=/run/netns/srv "$@"; }

# same_peer MESSAGE...: datagrams from one port to v4's
same_peer() {
	cli python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for m in sys.argv[1:]:
	s.sendto(m.encode(), ("10.7.0.1", 7000))' "$@"
}

# ended_so: how many were cancelled by their peer, did so, tried so, and were repetitions
ended_so() { echo "$(outcome cancelled_peer) $(outcome done_cancel) $(outcome done_cancel_missed) $(outcome done_retry)"; }
are() { [ "$(ended_so)" = "$1" ]; }

# xdp_sent: frames that the server's driver was given to send
xdp_sent() { srv ethtool -S s0 | sed -n 's/.*tx_queue_0_xdp_xmit: //p'; }

echoes() { # MODE
	sl listener add v4 xdp dev s0 udp 0.0.0.0:7000 default group g
	sl listener add v6 xdp dev s0 udp "[::]:7001" default group g
	[ -z "$vlan" ] || sl listener add tagged xdp dev s0.5 udp 0.0.0.0:7000 default group g
	check "$1: show says so" sh -c "ip netns exec srv sluice listener show v4 | grep -q 'XDP $1'"
	consumer /tmp/c g echo
	before=$(xdp_sent)
	check "$1: echo over IPv4" sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 hello 1 5000 | grep -q '^10.7.0.1 hello'"
	check "$1: the reply leaves from the address asked" \
		sh -c "ip netns exec cli ./udp_probe 10.7.0.11 7000 hello 1 5000 | grep -q '^10.7.0.11 hello'"
	check "$1: echo over IPv6" sh -c "ip netns exec cli ./udp_probe fd07::1 7001 hello 1 5000 | grep -q '^fd07::1 hello'"
	check "$1: IPv4 on the dual-stack listener" \
		sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7001 hello 1 5000 | grep -q '^10.7.0.1 hello'"
	if [ -n "$vlan" ]; then
		check "$1: echo on a VLAN" sh -c "ip netns exec cli ./udp_probe 10.8.0.1 7000 hello 1 5000 | grep -q '^10.8.0.1 hello'"
	else
		ok 0 "$1: echo on a VLAN # SKIP the kernel has no VLANs"
	fi
	check "$1: 150 requests, 150 answers" \
		sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 many 150 5000 | grep -q '^150 replies'"
	check "$1: a message of 1472 bytes" \
		sh -c "ip netns exec cli ./udp_probe 10.7.0.1 7000 $(printf '%1472s' x | tr ' ' y) 1 5000 | grep -q '^1 replies'"
	sl rule add v4 1 text 0 late group g deadline-field 4/1 ns
	srv_probe=$(probe 10.7.0.1 7000 late1 1 200)
	check "$1: a deadline that the message carries has passed when it is taken" \
		[ "$srv_probe $(outcome expired_ring)" = "0 replies 1" ]
	sl group add later target 1h no-consumer hold 1h
	sl rule add v4 2 text 0 job group later request-id 4/4 once
	sl rule add v4 3 text 0 stop cancel request-id 5/4
	same_peer "job 0001" "job 0001" "job 0002" "stop 0001" "stop 0001"
	check "$1: a repetition is answered once, what waits is cancelled by its peer" until_true 20 are "1 1 1 1"
	check "$1: the other one waits" sh -c "ip netns exec srv sluice cancel group later | grep -q 1"
	sl rule del v4 2
	sl rule del v4 3
	sl group del later
	check "$1: all answered by the ledger" [ "$(outcome answered)" -eq $((155 + ${vlan:-0})) ]
	check "$1: ledger closed" sl check
	check "$1: most left by the driver" [ $(($(xdp_sent) - before)) -gt 140 ]
	kill -KILL "$consumer"
	wait "$consumer" 2>/dev/null
	for l in v4 v6 ${vlan:+tagged}; do
		sl listener del "$l"
	done
	check "$1: the program goes with the last listener" sh -c "! nsenter --net=/run/netns/srv xdp-loader status s0 | grep -q sluice_xdp"
}

echoes native
# a device with a generic program has no native one: ours goes beside it in its mode
host_srv xdp-filter load -m skb -f udp s0
host_srv xdp-filter port -p udp -m dst 9999
echoes generic
check "the other program is still there" sh -c "nsenter --net=/run/netns/srv xdp-filter status | grep -q s0"
host_srv xdp-filter unload s0

cleanup
check "unload" rmmod sluice
done_testing
