#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Which listener a frame is for, which senders are believed, and by which way a reply of which size leaves.
. ./lib.sh

passed() { sl -j listener show "$1" | tr -s ',{}' '\n' | sed -n "/xdp-passed/,\$s/.*\"$2\": *\([0-9]*\).*/\1/p"; }
passed_is() { [ "$(passed "$1" "$2")" -eq "$3" ]; }
outcome_is() { [ "$(outcome "$1")" -eq "$2" ]; }
received() { sl -j stats listener | tr -d ' \n' | sed 's/},{/}\n{/g' | sed -n "s/.*\"name\":\"$1\".*\"received\":\([0-9]*\).*/\1/p"; }
received_is() { [ "$(received "$1")" -eq "$2" ]; }
fragmented() { srv grep '^Ip: [0-9]' /proc/net/snmp | cut -d' ' -f20; }
by_driver() { # does a reply go by the driver now?
	sent=$(driver_sent)
	echoes 10 && [ "$(driver_sent)" -gt "$sent" ]
}
driver_sent() { srv ethtool -S s0 | sed -n 's/.*tx_queue_0_xdp_xmit: //p'; }
echoes() { # BYTES
	ip netns exec cli ./udp_probe 10.7.0.1 7000 "$(printf "%$1s" x | tr ' ' y)" 1 5000 | grep -q '^1 replies'
}

net_up
cli ethtool -K c0 gro on >/dev/null
mac=$(srv cat /sys/class/net/s0/address)
sl group add g steer hash target 1h
sl listener add wild xdp dev s0 udp 0.0.0.0:7000 default group g
consumer /tmp/c g echo
check "an echo" echoes 10

sl listener add one xdp dev s0 udp 10.7.0.11:7000 default drop
sl listener add both xdp dev s0 udp "[::]:7000" default drop
sl listener add two xdp dev s0 udp 10.7.0.1:7001 default drop
sl listener add wild2 xdp dev s0 udp 0.0.0.0:7001 default drop
cli ./udp_probe 10.7.0.11 7000 x 1 1 >/dev/null
cli ./udp_probe 10.7.0.1 7001 x 1 1 >/dev/null
check "an address goes before a wildcard that was there before" until_true 10 received_is one 1
check "and before one that came later" until_true 10 received_is two 1
check "a wildcard of its family before one of both" echoes 10
for l in one both two wild2; do sl listener del $l; done

cli ./xdp_frames c0 "$mac" 10.7.0.11 >/dev/null
check "a sender with an address of ours is left to the stack, which knows better" until_true 10 passed_is wild host 1
before=$(outcome answered)
cli ./xdp_frames c0 "$mac" 10.7.0.255 >/dev/null
check "no reply to a network's broadcast address" until_true 10 outcome_is dropped_send 1
check "nothing else was answered" [ "$(outcome answered)" -eq "$before" ]

# the way back becomes known with the first reply, by the stack
check "and then goes by the driver" until_true 20 by_driver
sent=$(driver_sent)
frags=$(fragmented)
ip -n srv route add 10.7.0.2/32 dev s0 mtu 600
check "a path that takes less than its device: a short reply" echoes 100
check "by the driver" [ "$(driver_sent)" -gt "$sent" ]
sent=$(driver_sent)
check "a longer one" echoes 1000
check "is not sent by the driver" [ "$(driver_sent)" -eq "$sent" ]
check "but in fragments" [ "$(fragmented)" -gt "$frags" ]
ip -n srv route del 10.7.0.2/32 dev s0
sl listener del wild

# more than a page: only the generic hook has such frames in one piece
ip -n srv link set s0 mtu 9000
ip -n cli link set c0 mtu 9000
nsenter --net=/run/netns/srv xdp-filter load -m skb -f udp s0
sl listener add wild xdp dev s0 udp 0.0.0.0:7000 default group g
kill -KILL "$consumer"
wait "$consumer" 2>/dev/null
consumer /tmp/c g echo 8192
check "generic" sh -c "ip netns exec srv sluice listener show wild | grep -q 'XDP generic'"
check "a message of more than a page" echoes 5000
check "was taken by XDP" [ "$(received wild)" -eq 1 ]
check "ledger closed" sl check
sl listener del wild
nsenter --net=/run/netns/srv xdp-filter unload s0

if ip -n srv link add b0 type bond 2>/dev/null; then
	refused "a bond: its frames arrive at its members" sluice listener add b xdp dev b0 udp 0.0.0.0:7000 default drop
else
	echo "# no bonding here"
fi
cleanup
check "unload" rmmod sluice
done_testing
