# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced in the guest by guest-echo.sh: how the cost of a request grows with the number of rules.

# grow WHAT N: measure with what is set up, under this name
grow() {
	cost sluice "$ROUNDS" "${3:-64}" "${4:-1}" | sed "s/^cost sluice/cost grow-$1-$2/"
	sluice check -q
}

for _ in $(seq "$REPEATS"); do
	for n in 10 100 1000 10000; do
		ruleset $n >/tmp/rules
		sluice apply /tmp/rules
		grow rules $n
		sluice listener del bench
		sluice group del echo
	done
done
