# SPDX-License-Identifier: GPL-2.0-only
# Owns the judgement of KCSAN's reports in the kernel's log: one in which code of the module's is one
# of the two innermost functions of either stack (a helper of the kernel's may have been called) is
# passed on. Of any other only the title is left, as a line "not ours: ...": that of a task that we
# put to sleep, say, or of an interrupt that came while we ran. What else the kernel says passes, in
# the middle of a report too.

function text(line) {
	sub(/^\[ *[0-9.]+\](\[ *[TC][0-9]+\])? /, "", line)
	return line
}

# Is it a line that a report is made of?
function of_report(line) {
	return line ~ /^(| .*|=====+|BUG: KCSAN: .*|(read|write|assert no writes|assert no accesses|race at unknown origin|value changed|Reported by Kernel Concurrency Sanitizer|CPU: |Hardware name: ).*)$/
}

function judge(    i) {
	if (!ours)
		print "not ours: " title
	for (i = 1; i <= n; i++) {
		if (ours || !of_report(text(held[i])))
			print held[i]
	}
	n = ours = depth = inside = 0
}

{ line = text($0) }

inside {
	held[++n] = $0
	depth = line ~ /^ / ? depth + 1 : 0
	ours += depth <= 2 && line ~ /^ .*\[sluice\]/
	if (line ~ /^=====+$/)
		judge()
	next
}

line ~ /^BUG: KCSAN: / {
	held[++n] = $0 # behind the rule above it
	title = substr(line, length("BUG: KCSAN: ") + 1)
	inside = 1
	next
}

# The rule above a report, or something else that begins like one.
{
	for (i = 1; i <= n; i++)
		print held[i]
	n = 0
	if (line ~ /^=====+$/)
		held[++n] = $0
	else
		print
}

END {
	if (inside)
		judge()
	for (i = 1; i <= n; i++)
		print held[i]
}
