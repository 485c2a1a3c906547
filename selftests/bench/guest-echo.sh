# SPDX-License-Identifier: GPL-2.0-only
# Runs in the guest, on the instruction clock: cost of an echoed request through sockets and through Sluice.
set -e
rounds=${ROUNDS:-150}
size=${SIZE:-64}

modprobe sluice
ip netns add bench
ip link add v0 type veth peer name v1 netns bench
ip addr add 10.9.0.1/24 dev v0
ip -n bench addr add 10.9.0.2/24 dev v1
ip link set lo up
ip link set v0 up
ip -n bench link set v1 up
# no neighbour discovery, no late kernel work in what is counted
ip neigh replace 10.9.0.2 lladdr "$(ip netns exec bench cat /sys/class/net/v1/address)" dev v0 nud permanent
ip -n bench neigh replace 10.9.0.1 lladdr "$(cat /sys/class/net/v0/address)" dev v1 nud permanent
sleep 3

# drop SIDE: its device drops the other side's datagrams on arrival
drop() {
	case $1 in
	server) nft -f - <<-NFT ;;
		table netdev bench { chain in { type filter hook ingress device v0 priority 0; udp dport 7000 drop; }; }
	NFT
	client) ip netns exec bench nft -f - <<-NFT ;;
		table netdev bench { chain in { type filter hook ingress device v1 priority 0; udp sport 7000 drop; }; }
	NFT
	esac
}

drop server
echo_cost send "$rounds" "$size"
nft delete table netdev bench
drop client
for repeat in 1 2 3; do
	for mode in recvmmsg epoll; do
		echo_cost $mode "$rounds" "$size"
	done
	sluice group add echo steer hash backlog 0
	sluice listener add bench udp 0.0.0.0:7000 default group echo
	echo_cost sluice "$rounds" "$size"
	sluice check -q
	sluice listener del bench
	sluice group del echo
done
