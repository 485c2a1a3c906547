# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest for `make run`: a configuration, sluiced with its key-value store, clients in another namespace, the
# ledger. Fails if a client does, or if a request is not accounted for.
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

say "sluice apply: one group of rings that steers by key; a UDP listener with rules and a reply for the refused, a TCP listener"
cat >/tmp/sluice.conf <<'CONF'
group cache steer hash key token 8 1 backlog 1024 no-consumer hold 1s crash requeue owner nobody
listener front udp 0.0.0.0:11211 default group cache reject-reply "text:........SERVER_ERROR busy\r\n" copy 8 {
	rule 10 token 8 0 = get,gets,gat,gats group cache class get
	rule 20 order 1 token 8 0 = set,add,replace,append,prepend,cas group cache class store prio 1
}
listener stream tcp 0.0.0.0:11211 framing memcached default group cache reject-reply "text:SERVER_ERROR busy\r\n" {
	rule 10 token 0 0 = get,gets,gat,gats group cache class get
	rule 20 order 1 token 0 0 = set,add,replace,append,prepend,cas group cache class store prio 1
}
CONF
cat /tmp/sluice.conf
sluice apply /tmp/sluice.conf

say "sluiced, as user nobody: a store with memcached's protocol, two workers, each with its ring"
cat >/tmp/sluiced.conf <<'CONF'
group cache handler kv workers 2 slots 2048:512 {
	memory 64M
}
CONF
cat /tmp/sluiced.conf
setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=-all --no-new-privs \
	sluiced -c /tmp/sluiced.conf 2>/tmp/sluiced.log &
daemon=$!
until grep -q 'info: serving' /tmp/sluiced.log; do
	kill -0 "$daemon" || {
		cat /tmp/sluiced.log
		exit 1
	}
	sleep 0.1
done
cat /tmp/sluiced.log
sluice ring show

say "libmemcached's load generator over UDP, in another namespace; it verifies what it reads"
ip netns exec client timeout 60 memcaslap -s 10.8.0.1:11211 --udp -T 1 -c 4 -x 2000 -v 1.0 | tee /tmp/slap | grep .
for zero in get_misses verify_misses verify_failed packet_drop; do
	grep -q "^$zero: 0\$" /tmp/slap
done

say "the same over TCP: connections of the kernel, messages cut in their streams, replies in order"
ip netns exec client timeout 60 memcaslap -s 10.8.0.1:11211 -T 1 -c 4 -x 1000 -v 1.0 | tee /tmp/slap | grep .
for zero in get_misses verify_misses verify_failed; do
	grep -q "^$zero: 0\$" /tmp/slap
done
sluice listener show stream

say "sluice-load: ${RATE:-600} requests a second, 90 % gets, at their scheduled times, for ${DURATION:-10} s"
ip netns exec client sluice-load --target 10.8.0.1:11211 --protocol memcached --keys 1000 --get-ratio 0.9 \
	--rate "${RATE:-600}" --duration "${DURATION:-10}s" --timeout 5s --allow-late 2>/dev/null || status=$?
# 3: the generator had too little of the processor to send or to read; that says nothing about the server.
[ "${status:-0}" -eq 0 ] || [ "$status" -eq 3 ]

say "what the workers say"
kill -USR1 "$daemon"
until [ "$(grep -c 'kv: ' /tmp/sluiced.log)" -eq 2 ]; do sleep 0.1; done
grep 'kv: ' /tmp/sluiced.log

say "the ledger, and latencies as the kernel saw them"
sluice stats

say "SIGTERM: sluiced answers what it has taken and leaves"
kill "$daemon"
wait "$daemon"
tail -n 1 /tmp/sluiced.log

say "every request is accounted for"
sluice check
