# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest for `make run`: a listener, an echo consumer, a client in another namespace, the ledger.
set -e

say() { printf '\n== %s\n' "$*"; }

say "kernel $(uname -r): loading sluice.ko"
modprobe sluice
ip netns add client
ip link add server0 type veth peer name client0 netns client
ip addr add 10.8.0.1/24 dev server0
ip -n client addr add 10.8.0.2/24 dev client0
ip link set lo up
ip link set server0 up
ip -n client link set client0 up

say "configuration"
cat >/tmp/sluice.conf <<'CONF'
group echo steer hash backlog 1024 no-consumer hold 1s crash requeue
listener front udp 0.0.0.0:7000 default reject reject-reply text:busy
rule front 10 length 1-1400 group echo class small prio 0 deadline 200ms
rule front 20 order 1 length 1401-65507 group echo class large prio 1
CONF
cat /tmp/sluice.conf
sluice apply /tmp/sluice.conf

say "two consumers attach"
sluice-echo echo >/tmp/echo1 &
sluice-echo echo >/tmp/echo2 &
until [ "$(sluice ring show | grep -c attached)" -eq 2 ]; do sleep 0.1; done
sluice ring show

say "load from another namespace: open loop, ${RATE:-2000} requests a second for ${DURATION:-10} s"
ip netns exec client sluice-load --target 10.8.0.1:7000 --protocol raw --size 64 --sockets 16 \
	--rate "${RATE:-2000}" --duration "${DURATION:-10}s" --refused busy --allow-late 2>/dev/null

say "the ledger, and latencies as the kernel saw them"
sluice stats

say "one consumer is killed; the other serves on"
kill -KILL %1
ip netns exec client sluice-load --target 10.8.0.1:7000 --protocol raw --size 64 --sockets 16 \
	--rate 500 --duration 2s --refused busy --allow-late 2>/dev/null
sluice ring show

say "every request is accounted for"
sluice check
kill %2
wait %2
cat /tmp/echo2
