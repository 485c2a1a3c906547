# SPDX-License-Identifier: GPL-2.0-only
# Owns the counting of a nested KTAP stream: cases passed, failed, skipped, as one line.
#
# A test that reports cases of its own counts as these; one that does not counts as one. A test
# that failed although no case of its own did (crash, timeout, kernel log) adds one failure.

function count(line) {
	if (line ~ /^not ok /) {
		if (line ~ /# *(SKIP|TODO)/) { skipped++; return }
		failed++
	} else if (line ~ /# *SKIP/)
		skipped++
	else
		passed++
}

{ sub(/\r$/, "") }

/^[ #]+(not )?ok / {
	line = $0
	sub(/^[ #]+/, "", line)
	before = failed
	count(line)
	cases++
	bad += failed - before
	next
}

/^(not )?ok / {
	if (!cases || (/^not ok / && !bad))
		count($0)
	cases = bad = 0
}

END {
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed > 0
}
