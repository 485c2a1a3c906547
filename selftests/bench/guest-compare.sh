# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on the instruction clock: the modules /modules/$NAMES.ko in turn.
set -e
. /bench-net.sh
. /bench-rules.sh
echo "kernel $(uname -r)"
nft -f - <<-NFT
	table netdev requests { chain in { type filter hook ingress device v0 priority 0; udp dport 7000 drop; }; }
NFT
for shape in $SHAPES; do
	cost send "$ROUNDS" "${shape%/*}" "${shape#*/}"
done
nft delete table netdev requests
ip netns exec bench nft -f - <<-NFT
	table netdev replies { chain in { type filter hook ingress device v1 priority 0; udp sport 7000 drop; }; }
NFT

# one NAME: measure with what is set up, under this name
one() {
	for shape in $SHAPES; do
		cost sluice "$ROUNDS" "${shape%/*}" "${shape#*/}" | sed "s/^cost sluice/cost $1/"
	done
	sluice check -q
	sluice listener del bench
	sluice group del echo
}

for _ in $(seq "$REPEATS"); do
	for name in $NAMES; do
		rmmod sluice
		insmod "/modules/$name.ko"
		sluice group add echo steer hash backlog 0
		sluice listener add bench udp 0.0.0.0:7000 default group echo
		one "$name"
		ruleset 10 >/tmp/rules
		sluice apply /tmp/rules
		one "$name+10"
	done
done
