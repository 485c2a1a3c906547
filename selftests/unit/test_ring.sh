#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Owns the proof that core/ring.h needs each of its barriers: with all of them nothing is found, and
# without any single one a race (thread sanitizer) or a lost wake-up (search of all orders) is.
#
# usage: OUT=DIR test_ring.sh    where the Makefile has built ring_exchange-N and sleep_model-N

OUT=${OUT:-../../build/unit}
requests=20000
racing=66	# the thread sanitizer's exit status
number=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# expect STATUS NAME COMMAND...
expect() {
	local want=$1 name=$2 status=0
	shift 2
	number=$((number + 1))
	TSAN_OPTIONS="halt_on_error=1 exitcode=$racing" "$@" >"$log" 2>&1 || status=$?
	if [ "$status" -eq "$want" ]; then
		echo "ok $number $name"
		return
	fi
	sed 's/^/# /' "$log"
	echo "# exit status $status, not $want: $*"
	echo "not ok $number $name"
	failed=1
}

declare -A numbers
while read -r label barrier; do
	numbers[$label]=$barrier
done < <(sed -n 's/^#define SLUICE_BARRIER_\([A-Z0-9]*\)[[:space:]]*\([0-9]*\)$/\1 \2/p' \
	../../kmod/core/ring.h)
ordering=(R1 R2 S1 S2 H1 H2 P1 P2)
full=(W1 W2 W3 K1 K2 B1 B2 C1 C2 E1 E2)

echo "KTAP version 1"
echo "1..$((${#numbers[@]} + 8))"
expect 0 exchange__all_requests_are_answered "$OUT/ring_exchange-0" "$requests"
for label in "${ordering[@]}"; do
	expect "$racing" "exchange__without_${label}_there_is_a_race" \
		"$OUT/ring_exchange-${numbers[$label]}" "$requests"
done
for side in request poll response backlog connection end; do
	expect 0 "sleep__no_${side}_is_left_behind" "$OUT/sleep_model-0" "$side"
done
for label in "${full[@]}"; do
	case $label in
	W3) side=poll ;;
	W?) side=request ;;
	K?) side=response ;;
	B?) side=backlog ;;
	C?) side=connection ;;
	E?) side=end ;;
	esac
	expect 1 "sleep__without_${label}_a_${side}_is_left_behind" \
		"$OUT/sleep_model-${numbers[$label]}" "$side"
done

number=$((number + 1))
if [ "${#numbers[@]}" -eq $((${#ordering[@]} + ${#full[@]})) ]; then
	echo "ok $number ring__every_barrier_was_taken_out"
else
	echo "# core/ring.h has ${!numbers[*]}"
	echo "not ok $number ring__every_barrier_was_taken_out"
	failed=1
fi
exit $failed
