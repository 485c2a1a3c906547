#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Listeners bound to a device, and link-local addresses: two links with the same link-local addresses at both ends.
. ./lib.sh

# ask DESCRIPTION WANT ADDR PORT TEXT WAIT_MS: what a client hears
ask() {
	cli ./udp_probe "$3" "$4" "$5" 1 "$6" >/tmp/heard 2>&1
	sed 's/^/# /' /tmp/heard
	grep -qF -- "$2" /tmp/heard
	ok $? "$1"
}

net_up
ip -n srv link add s1 type veth peer name c1 netns cli
ip -n srv addr add 10.8.0.1/24 dev s1
ip -n cli addr add 10.8.0.2/24 dev c1
for link in 0 1; do
	ip -n srv addr add fe80::1/64 dev s$link nodad
	ip -n cli addr add fe80::2/64 dev c$link nodad
	ip -n srv link set s$link up
	ip -n cli link set c$link up
done
sl group add g
consumer /tmp/c g echo

sl listener add l udp 0.0.0.0:7000 dev s0 default group g
ask "a request that came by the listener's device is answered" "10.7.0.1 one" 10.7.0.1 7000 one 20000
ask "one that came by another is not the listener's" "0 replies" 10.8.0.1 7000 two 300
check "nor counted by it" [ "$(outcome answered)" -eq 1 ]
sl listener add other udp 0.0.0.0:7000 dev s1 default reject reject-reply text:other
check "another device's listener has the same address and port" [ $? -eq 0 ]
ask "each takes what came by its device: one" "10.7.0.1 three" 10.7.0.1 7000 three 20000
ask "and the other" "10.8.0.1 other" 10.8.0.1 7000 four 20000
refused "but not the same device" sluice listener add third udp 0.0.0.0:7000 dev s1

# the table says that the client is behind s1, where its replies are dropped
ip -n srv route add 10.7.0.2/32 dev s1
cli nft 'add table ip t; add chain ip t in { type filter hook input priority 0; };
	add rule ip t in iifname c1 udp sport 7000-7001 counter drop'
ask "the reply leaves by the listener's device, whatever the routes say" "10.7.0.1 five" 10.7.0.1 7000 five 20000
sl listener add free udp 10.7.0.1:7001 default group g
ask "that of a listener without one goes where they say" "0 replies" 10.7.0.1 7001 six 300
check "and there it went" sh -c "ip netns exec cli nft list table ip t | grep -q 'packets 1 '"
cli nft delete table ip t
ip -n srv route del 10.7.0.2/32 dev s1

# link-local
sl listener del l
sl listener del other
sl listener add any udp '[::]:7000' default group g
for link in 0 1; do
	ask "the reply to a link-local client goes back by its link: c$link" "fe80::1%c$link link$link" fe80::1%c$link 7000 link$link 20000
done
refused "a link-local address needs a device" sluice listener add ll udp '[fe80::1]:7002' default group g
sl listener add ll udp '[fe80::1]:7002' dev s1 default group g
check "with one it is the address of that link" [ $? -eq 0 ]
ask "it is answered from there" "fe80::1%c1 seven" fe80::1%c1 7002 seven 20000
ask "the same address of another link is another" "0 replies" fe80::1%c0 7002 eight 300

# a device that goes takes the way, not the listener
ip -n srv link del s1
check "the listener of a device that went can be seen" sl listener show ll
check "and removed" sl listener del ll
ask "the other link is served on" "fe80::1%c0 nine" fe80::1%c0 7000 nine 20000
check "ledger closed" sl check
done_testing
