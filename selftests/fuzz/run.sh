#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Owns the run of the fuzzers over their corpora, as KTAP with the total as the last line.
#
# usage: OUT=DIR run.sh replay|fuzz|keep SECONDS NAME...

cd "$(dirname "$0")" || exit 1
how=$1
seconds=$2
shift 2
number=0
failed=0

one() {
	local name=$1 kept=corpus/$1 new=$OUT/new/$1 found=$OUT/$1
	mkdir -p "$kept" "$new" "$found"
	local options=(-artifact_prefix="$found/" -timeout=20 -rss_limit_mb=2048 -verbosity=0 -max_len=1500)
	[ ! -e "dict/$name" ] || options+=(-dict="dict/$name")
	case $how in
	replay) "$OUT/fuzz_$name" "${options[@]}" "$kept"/* ;;
	fuzz) "$OUT/fuzz_$name" "${options[@]}" -max_total_time="$seconds" -print_final_stats=1 "$new" "$kept" ;;
	keep) "$OUT/fuzz_$name" "${options[@]}" -merge=1 "$kept" "$new" ;;
	esac
}

echo "KTAP version 1"
echo "1..$#"
for name; do
	number=$((number + 1))
	if one "$name" >"$OUT/$name.log" 2>&1; then
		grep -E 'stat::(number_of_executed_units|new_units_added)' "$OUT/$name.log" | sed 's/^/# /'
		echo "# $(find "corpus/$name" -type f | wc -l) kept inputs"
		echo "ok $number fuzz:$name"
	else
		tail -n 60 "$OUT/$name.log" | sed 's/^/# /'
		echo "not ok $number fuzz:$name"
		failed=$((failed + 1))
	fi
done
echo "$((number - failed)) passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
