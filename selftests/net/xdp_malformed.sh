#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Frames truncated at each byte, with each bit turned, with wrong lengths: none is taken for a request, all are counted.
. ./lib.sh

# passed: frames that the device left to the stack, by all reasons
passed() { sl -j listener show v4 | tr -s ',{}' '\n' | sed -n '/xdp-passed/,$p' | grep -E '"(other|fragment|options|malformed|checksum|host|request)"' |
	sed 's/.*: *//' | awk '{ s += $1 } END { print s + 0 }'; }
received() { sl -j stats listener | tr -s ',{}' '\n' | sed -n 's/.*"received": *\([0-9]*\).*/\1/p' | awk '{ s += $1 } END { print s + 0 }'; }
received_is() { [ "$(received)" -eq "$1" ]; }
passed_from() { [ "$(passed)" -ge "$1" ]; }

net_up
cli ethtool -K c0 gro on txvlan off >/dev/null
ip -n srv link add link s0 name s0.5 type vlan id 5
ip -n srv addr add 10.7.5.1/24 dev s0.5
ip -n srv link set s0.5 up
sl group add g steer hash
sl listener add v4 xdp dev s0 udp 0.0.0.0:7000 default drop
sl listener add v6 xdp dev s0 udp "[::]:7000" v6only default drop
sl listener add t4 xdp dev s0.5 udp 0.0.0.0:7000 default drop
sl listener add t6 xdp dev s0.5 udp "[::]:7000" v6only default drop
mac=$(srv cat /sys/class/net/s0/address)

cli ./xdp_frames c0 "$mac" right >/tmp/right
check "four right frames are sent" grep -qx 4 /tmp/right
check "and taken" until_true 20 received_is 4
before=$(passed)
cli ./xdp_frames c0 "$mac" wrong >/tmp/wrong
n=$(cat /tmp/wrong)
check "thousands of wrong ones are sent" [ "$n" -gt 3000 ]
check "each goes to the stack, counted" until_true 20 passed_from $((before + n))
check "none was taken" received_is 4
check "dropped as the listener says" [ "$(outcome dropped_rule)" -eq 4 ]
check "ledger closed" sl check
for l in v4 v6 t4 t6; do sl listener del $l; done
cleanup
check "unload" rmmod sluice
done_testing
