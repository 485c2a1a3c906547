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
right=2
if ip -n srv link add link s0 name s0.5 type vlan id 5 2>/dev/null; then
	right=4
	ip -n srv link set s0.5 up
else
	echo "# this kernel has no VLANs: tagged frames are never right"
fi
sl group add g steer hash target 1h
sl listener add v4 xdp dev s0 udp 0.0.0.0:7000 default drop
sl listener add v6 xdp dev s0 udp "[::]:7000" v6only default drop
if [ $right -eq 4 ]; then
	sl listener add t4 xdp dev s0.5 udp 0.0.0.0:7000 default drop
	sl listener add t6 xdp dev s0.5 udp "[::]:7000" v6only default drop
fi
mac=$(srv cat /sys/class/net/s0/address)

cli ./xdp_frames c0 "$mac" right >/tmp/right
check "four right frames are sent" grep -qx 4 /tmp/right
check "and taken, tagged or not" until_true 20 received_is $right
before=$(passed)
cli ./xdp_frames c0 "$mac" wrong >/tmp/wrong
wrong=$(cat /tmp/wrong)
check "thousands of wrong ones are sent" [ "$wrong" -gt 3000 ]
check "each goes to the stack, counted" until_true 20 passed_from $((before + wrong))
check "none of them was taken" received_is $right
check "dropped as the listener says" [ "$(outcome dropped_rule)" -eq $right ]
check "ledger closed" sl check
for l in $(sl listener show | sed -n "s/^listener \([^ ]*\) .*/\1/p"); do sl listener del "$l"; done
cleanup
check "unload" rmmod sluice
done_testing
