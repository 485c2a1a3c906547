# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced in the guest by guest-echo.sh: how the cost of a request grows with rules, rings, groups, and with its size.

# grow WHAT N [SERVER [SIZE]]: measure with what is set up, under this name
grow() {
	cost "${3:-sluice}" "$ROUNDS" "${4:-64}" 1 | sed "s/^cost [^ ]*/cost grow-$1-$2/"
	[ "${3:-sluice}" = recvmmsg ] || sluice check -q
}

clear() { # GROUP...
	local group
	sluice listener del bench
	for group; do sluice group del "$group"; done
}

for _ in $(seq "$REPEATS"); do
	for n in 10 100 1000 10000; do
		ruleset $n >/tmp/rules
		sluice apply /tmp/rules
		grow rules $n
		clear echo
	done
	# one of the rings has all the requests; then each has its part, as consumers would that share the work
	for steer in hash rr; do
		for n in 1 2 4 8 64 256; do
			sluice group add echo steer $steer max-rings 256 backlog 0
			sluice listener add bench udp 0.0.0.0:7000 default group echo
			RINGS=$n grow rings-$steer $n sluice-rings
			clear echo
		done
	done
	# 64 rules by the first byte, which numbers the requests of a batch: to one group of so many, then to all in turn
	for way in one all; do
		for n in 1 4 16 64; do
			{
				for i in $(seq 0 $((n - 1))); do echo "group echo$i steer hash backlog 0"; done
				echo "listener bench udp 0.0.0.0:7000 default reject"
				for i in $(seq 0 63); do
					[ $way = all ] && to=$((i % n)) || to=0
					printf 'rule bench %d bytes 0/1 = %d group echo%d\n' $((i + 1)) "$i" "$to"
				done
			} >/tmp/rules
			sluice apply /tmp/rules
			GROUPS_OF_ONE=$n grow groups-$way "$n" sluice-groups
			# shellcheck disable=SC2046
			clear $(seq -f 'echo%.0f' 0 $((n - 1)))
		done
	done
	for n in $BYTES; do
		sluice group add echo steer hash backlog 0
		sluice listener add bench udp 0.0.0.0:7000 default group echo
		grow bytes-sluice "$n" sluice "$n"
		clear echo
		grow bytes-recvmmsg "$n" recvmmsg "$n"
	done
done
