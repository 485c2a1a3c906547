#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Owns the sum of the model checks: nested KTAP of both, then the total.
#
# usage: run.sh DIRECTORY RING.H

cd "$(dirname "$0")" || exit 1
source=$(../vm/fetch source 6.12) || exit 1

nested() {
	local name=$2
	echo "    # Subtest: $name"
	"${@:3}" 2>&1 | sed 's/^/    /'
	if [ "${PIPESTATUS[0]}" -eq 0 ]; then
		echo "ok $1 $name"
	else
		echo "not ok $1 $name"
	fi
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
{
	echo "KTAP version 1"
	echo "1..2"
	nested 1 litmus ./check-litmus "$source/tools/memory-model" "$2"
	nested 2 spin ./check-model "$1"
} | tee "$log"
awk -f ../vm/count.awk "$log"
