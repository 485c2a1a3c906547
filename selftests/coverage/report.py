#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Owns what is told of coverage: percent of lines by file, from gcov's counts; and each function of the module that did not run
whole has a reason in docs/coverage.md, each reason a function.

usage: report.py DIR [-v]    DIR/kmod has the machine's counts, DIR/{unit,fuzz,user} the native ones; -v: all lines that did not run
"""
import json
import os
import re
import subprocess
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
REASONS = TOP + "/docs/coverage.md"
WANTED = 90	# percent of the module's lines


def objects(where):
	"""Each file of counts under a directory."""
	for parent, _, names in os.walk(where):
		yield from (os.path.join(parent, n) for n in sorted(names) if n.endswith(".gcda"))


def counted(where, keep):
	"""{file: {line: [count, function]}} of the sources whose path matches."""
	lines = {}
	for path in objects(where):
		r = subprocess.run(["gcov", "--json-format", "--stdout", os.path.basename(path)], cwd=os.path.dirname(path),
				   capture_output=True, text=True)
		for text in filter(None, r.stdout.splitlines()):
			one = json.loads(text)
			for source in one["files"]:
				name = os.path.relpath(os.path.realpath(os.path.join(one["current_working_directory"], source["file"])), TOP)
				if not re.match(keep, name):
					continue
				of = lines.setdefault(name, {})
				for line in source["lines"]:
					entry = of.setdefault(line["line_number"], [0, line.get("function_name") or within(name, line["line_number"])])
					entry[0] += line["count"]
	return lines


def within(name, number):
	"""The function that a line is written in: of one that is always inline gcov does not say it."""
	for line in reversed(open(os.path.join(TOP, name)).read().split("\n")[:number]):
		found = re.match(r"[a-z].*?\b(\w+)\(", line)
		if found:
			return found.group(1)
	return ""


def percent(lines):
	n = len(lines)
	return "%5d %5d %5.1f" % (n, sum(c > 0 for c, _ in lines.values()), 100 * sum(c > 0 for c, _ in lines.values()) / n if n else 100)


def table(title, lines):
	"""One line a file, and the total. Return: the total's percentage."""
	both = {(f, n): e for f, of in lines.items() for n, e in of.items()}
	print("\n%-40s %5s %5s %5s" % (title, "lines", "ran", "%"))
	for name in sorted(lines):
		print("%-40s %s" % (name, percent(lines[name])))
	print("%-40s %s" % ("all", percent(both)))
	return 100 * sum(c > 0 for c, _ in both.values()) / max(len(both), 1)


def ranges(numbers):
	"""[1, 2, 3, 7] -> "1-3 7" """
	out = []
	for n in sorted(numbers):
		if out and n == out[-1][1] + 1:
			out[-1][1] = n
		else:
			out.append([n, n])
	return " ".join("%d-%d" % (a, b) if a != b else str(a) for a, b in out)


def unrun(lines):
	"""{(file, function): [line, ...]} of what did not run."""
	found = {}
	for name, of in lines.items():
		for n, (count, function) in of.items():
			if not count:
				found.setdefault((name, function), []).append(n)
	return found


def reasons():
	"""{(file, function): reason} of the document."""
	out = {}
	for line in open(REASONS):
		m = re.match(r"\| `(kmod/[\w./]+)` \| (.+?) \| (.+) \|$", line)
		for function in re.findall(r"`(\w+)`", m.group(2)) if m else []:
			out[m.group(1), function] = m.group(3)
	return out


def explained(lines):
	"""Whether reasons and functions belong to each other."""
	known, missed, wrong = reasons(), unrun(lines), 0
	functions = {(f, function) for f, of in lines.items() for _, function in of.values()}
	for (name, function), numbers in sorted(missed.items()):
		if (name, function) not in known:
			print("no reason in docs/coverage.md: %s %s: lines %s did not run" % (name, function, ranges(numbers)))
			wrong += 1
	for name, function in sorted(set(known) - functions):
		print("a reason in docs/coverage.md for what is not there: %s %s" % (name, function))
		wrong += 1
	return not wrong


def added(*counts):
	"""Several counts in one."""
	lines = {}
	for one in counts:
		for name, of in one.items():
			for n, (count, function) in of.items():
				lines.setdefault(name, {}).setdefault(n, [0, function])[0] += count
	return lines


def show(lines):
	for (name, function), numbers in sorted(unrun(lines).items()):
		text = open(os.path.join(TOP, name)).read().split("\n")
		print("%s %s\n%s" % (name, function, "\n".join("%5d %s" % (n, text[n - 1]) for n in sorted(numbers))))


def main():
	out, good = sys.argv[1], True
	machine = counted(os.path.join(out, "kmod"), r"kmod/")
	native = added(*(counted(os.path.join(out, d), r"(kmod/core|user)/") for d in ("unit", "fuzz", "user")))
	core = {f: of for f, of in native.items() if f.startswith("kmod/")}
	for title, lines in (("kmod/, in the machine", machine), ("kmod/core/, native", core),
			     ("user/, native", {f: of for f, of in native.items() if f.startswith("user/")})):
		if not lines:
			print("\n%s: not counted" % title)
			continue
		share = table(title, lines)
		if lines is machine and share < WANTED:
			print("less than %d %% of the module's lines ran" % WANTED)
			good = False
	if machine:
		# the core is the same code in both: what one of them runs has run
		ran = added(machine, {f: {n: e for n, e in of.items() if n in machine.get(f, {})} for f, of in core.items()})
		if "-v" in sys.argv:
			show(ran)
		good = explained(ran) and good
	return 0 if good else 1


if __name__ == "__main__":
	sys.exit(main())
