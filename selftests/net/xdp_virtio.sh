#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# XDP on virtio_net: two network cards on the emulator's wire, one in each namespace, so that frames cross real drivers both
# ways. sluiced's store behind it serves libmemcached's load generator.
. ./lib.sh
. ./daemon.sh

card() { # NUMBER: the name of the device with this address, in whatever namespace we are
	for d in /sys/class/net/*; do
		[ "$(cat "$d/address" 2>/dev/null)" != "52:54:00:53:4c:0$1" ] || basename "$d"
	done
}
both_there() { [ -n "$(card 1)" ] && [ -n "$(card 2)" ]; }
by_driver() { srv ethtool -S v0 | sed -n 's/.*tx.*_xdp_tx: //p' | awk '{ s += $1 } END { print s + 0 }'; }
echoes() { # ADDRESS TEXT [COUNT]
	ip netns exec cli ./udp_probe "$1" 7000 "$2" "${3:-1}" 5000 each | grep -qx "${3:-1} replies"
}

modprobe virtio_pci 2>/dev/null
modprobe virtio_net 2>/dev/null
if ! until_true 5 both_there; then
	echo "1..0 # SKIP this kernel has no driver for virtio's network cards"
	exit 4
fi
net_up
ip link set "$(card 1)" netns srv name v0
ip link set "$(card 2)" netns cli name v1
for it in "srv v0 1" "cli v1 2"; do
	# shellcheck disable=SC2086
	set -- $it
	ip -n "$1" addr add "10.9.0.$3/24" dev "$2"
	ip -n "$1" addr add "fd09::$3/64" dev "$2" nodad
	ip -n "$1" link set "$2" up
done

cat >/tmp/sluiced.conf <<'CONF'
drain-timeout 20s
group cache handler kv workers 2 {
	memory 32M
}
group g handler echo workers 1
CONF
sl group add g steer hash target 1h
sl group add cache steer hash key token 8 1 target 1h
sl listener add e xdp dev v0 udp "[::]:7000" default group g
sl listener add kv xdp dev v0 udp 10.9.0.1:11211 default group cache
daemon
check "native" sh -c "ip netns exec srv sluice listener show e | grep -q 'XDP native'"
before=$(by_driver)
check "echo over IPv4" echoes 10.9.0.1 hello
check "echo over IPv6" echoes fd09::1 hello
check "a message of 1470 bytes" echoes 10.9.0.1 "$(printf '%1470s' x | tr ' ' y)"
check "500 in turn" echoes 10.9.0.1 many 500
check "500 in turn over IPv6" echoes fd09::1 many 500
check "replies leave by the driver" [ $(($(by_driver) - before)) -gt 900 ]
cli timeout 200 memcaslap -s 10.9.0.1:11211 --udp -T 1 -c 4 -x "${SLUICE_REQUESTS:-3000}" -v 1.0 >/tmp/slap 2>&1
sed 's/^/# /' /tmp/slap
check "memcached's load generator ends well" grep -q '^Run time:' /tmp/slap
for zero in get_misses verify_misses verify_failed packet_disorder packet_drop; do
	check "$zero is 0" grep -q "^$zero: 0\$" /tmp/slap
done
check "all of it was taken by XDP" [ "$(outcome answered)" -gt "${SLUICE_REQUESTS:-3000}" ]
check "ledger closed" sl check
check "exit status 0 on SIGTERM" ended TERM
sl listener del e
sl listener del kv
ip -n srv link set v0 netns 1
ip -n cli link set v1 netns 1
cleanup
check "unload" rmmod sluice
done_testing
