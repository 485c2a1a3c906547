#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Owns the run of native test programs: nested KTAP of all, then the total; fails if any case did.
#
# usage: run.sh PROGRAM...

cd "$(dirname "$0")" || exit 1

all() {
	local number=0 program name
	echo "KTAP version 1"
	echo "1..$#"
	for program; do
		number=$((number + 1))
		name=$(basename "$program" .sh)
		echo "    # Subtest: $name"
		[[ $program == */* ]] || program=./$program
		"$program" 2>&1 | sed 's/^/    /'
		if [ "${PIPESTATUS[0]}" -eq 0 ]; then
			echo "ok $number $name"
		else
			echo "not ok $number $name"
		fi
	done
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
all "$@" | tee "$log"
awk -f ../vm/count.awk "$log"
