# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced in the guest: the module, and two namespaces joined by a pair of devices.
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
# let late boot work come to an end
sleep 3
