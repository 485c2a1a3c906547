#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/ring-abi.md has the layouts, numbers and constants of include/uapi/linux/sluice_ring.h: asked of the compiler."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
from sltest import check, done, equal	# noqa: E402

TEXT = open(os.path.join(TOP, "docs", "ring-abi.md")).read()


def tables():
	"""{structure: (size, {member: offset})} as the page has them."""
	found = {}
	for m in re.finditer(r"`struct (\w+)`(.*?)(?=`struct |\Z)", TEXT, re.S):
		size = re.search(r"(\d+) bytes", m[2])
		rows = re.search(r"\n\| offset .*?\n\n", m[2], re.S)
		if not rows:
			continue
		members = {n: int(o) for o, n in re.findall(r"^\| (\d+) \|[^|]*\| `(\w+)` \|", rows[0], re.M)}
		found[m[1]] = (int(size[1]) if size else None, members)
	return found


def compiler(lines):
	"""The values of C expressions."""
	with tempfile.TemporaryDirectory() as d:
		src = ["#include <stdio.h>", "#include <stddef.h>", "#include <linux/sluice_ring.h>", "int main(void) {"]
		src += ['printf("%%llu\\n", (unsigned long long)(%s));' % x for x in lines] + ["return 0; }"]
		with open(d + "/a.c", "w") as f:
			f.write("\n".join(src))
		subprocess.run(["gcc", "-I", TOP + "/include/uapi", "-o", d + "/a", d + "/a.c"], check=True)
		return [int(x) for x in subprocess.run([d + "/a"], capture_output=True, text=True, check=True).stdout.split()]


def members_of(struct):
	"""The members that the header declares."""
	text = open(TOP + "/include/uapi/linux/sluice_ring.h").read()
	body = re.search(r"struct %s \{(.*?)\n\};" % struct, text, re.S)[1]
	return re.findall(r"(\w+)(?:\[[^]]*\])?;", body)


TABLES = tables()
equal(sorted(TABLES), ["sluice_response", "sluice_ring_map", "sluice_ring_setup", "sluice_slot"], "the structures")
for name, (size, members) in TABLES.items():
	got = compiler(["sizeof(struct %s)" % name] + ["offsetof(struct %s, %s)" % (name, m) for m in members])
	if size:
		equal(size, got[0], "%s: its size" % name)
	equal(list(members.values()), got[1:], "%s: every offset" % name)
	equal(list(members), members_of(name), "%s: every member, in order" % name)

for name, number in re.findall(r"^\| `(SLUICE_IOC_\w+)` \| `(0x[0-9a-f]+)`", TEXT, re.M):
	equal(int(number, 16), compiler([name])[0], name)
FLAGS = re.search(r"## State bits(.*?)\n## ", TEXT, re.S)[1]
for bit, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", FLAGS, re.M):
	equal(int(bit), compiler(["SLUICE_STATE_" + name])[0], "state bit " + name)
ANSWER = re.search(r"## An answer(.*?)\n## ", TEXT, re.S)[1]
flags = re.findall(r"^\| (\d+) \| `(\w+)` \|", ANSWER, re.M)
for bit, name in flags:
	if not name.islower():
		equal(int(bit), compiler(["SLUICE_RESP_" + name])[0], "response flag " + name)
equal(sum(int(b) for b, n in flags if not n.islower()), compiler(["SLUICE_RESP_ALL"])[0], "all response flags")
for number, name in re.findall(r"(\d+) `(KICK|THREAD|ADAPTIVE)`", TEXT):
	equal(int(number), compiler(["SLUICE_RING_TX_" + name])[0], "set-up flag " + name)
equal(int(re.search(r"ABI number: (\d+)", TEXT)[1]), compiler(["SLUICE_RING_ABI"])[0], "ABI number")
check(all(str(x) in TEXT for x in compiler(["SLUICE_SLOT_MIN", "SLUICE_SLOT_MAX", "SLUICE_RING_SLOTS_MAX"])), "limits are named")
done()
