# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, under the counting plugin: one measurement of $SERVER, and where the kernel's functions lie.
set -e
. /bench-net.sh
case $SERVER in
tcp-*)
	. /bench-tcp.sh
	export MARK=1
	tcp_cost "${SERVER#tcp-}" "$ROUNDS $SIZE ${SHAPE%/*} ${SHAPE#*/}"
	grep -v ' [aA] ' /proc/kallsyms | cut -d' ' -f1,3-
	exit 0
	;;
sluice-xdp)
	ip netns exec bench ethtool -K v1 gro on
	ip netns exec bench cost drop v1
	sluice group add echo steer hash backlog 0
	sluice listener add bench xdp dev v0 udp 0.0.0.0:7000 default group echo
	;;
sluice*)
	gro=
	[ "$SERVER" != sluice-gro ] || gro=gro
	sluice group add echo steer hash backlog 0
	sluice listener add bench udp 0.0.0.0:7000 $gro default group echo
	;;
send)
	nft -f - <<-NFT
		table netdev requests { chain in { type filter hook ingress device v0 priority 0; udp dport 7000 drop; }; }
	NFT
	;;
esac
ip netns exec bench nft -f - <<-NFT
	table netdev replies { chain in { type filter hook ingress device v1 priority 0; udp sport 7000 drop; }; }
NFT
cost mark "$SERVER" "$ROUNDS" "$SIZE" "$FLOWS"
grep -v ' [aA] ' /proc/kallsyms | cut -d' ' -f1,3-
