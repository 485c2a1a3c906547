#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/syzkaller/sluice.txt is what make-sluice makes of specification and header, and its structs are those of the compiler."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
from sltest import check, done, equal	# noqa: E402

TEXT = open(TOP + "/docs/syzkaller/sluice.txt").read()
HEADER = open(TOP + "/include/uapi/linux/sluice_ring.h").read()
STRUCTS = {n: re.findall(r"^\t(\w+)\t(.*)$", body, re.M) for n, body in re.findall(r"^(sluice_\w+) \{\n(.*?)^\}", TEXT, re.S | re.M)}
RESOURCES = dict(re.findall(r"^resource (\w+)\[(\w+)\]", TEXT, re.M))


def size_and_alignment(kind):
	"""Of a type of the description."""
	kind = RESOURCES.get(kind.replace(" (out)", ""), kind.replace(" (out)", ""))
	array = re.match(r"array\[(.*), (\d+)\]$", kind)
	if array:
		size, align = size_and_alignment(array[1])
		return size * int(array[2]), align
	if kind in STRUCTS:
		members = layout(kind)
		return members[-1][1], max(a for _, _, a in members)
	if kind.startswith("string["):
		return 32, 1
	bits = re.search(r"int(\d+)", kind)
	return int(bits[1]) // 8, int(bits[1]) // 8


def layout(name):
	"""[(offset, end, alignment)] of a struct's members."""
	at, out = 0, []
	for _, kind in STRUCTS[name]:
		size, align = size_and_alignment(kind)
		at = (at + align - 1) // align * align
		out.append((at, at + size, align))
		at += size
	return out


made = subprocess.run([TOP + "/docs/syzkaller/make-sluice"], capture_output=True, text=True, check=True).stdout
equal(TEXT, made, "the file is what make-sluice makes")
equal(set(re.findall(r"^ioctl\$(\w+)", TEXT, re.M)), set(re.findall(r"#define (SLUICE_IOC_\w+)\s+_IO", HEADER)), "all ioctls are there")
check(len(STRUCTS) == 4, "the structs of an ioctl", STRUCTS.keys())
with tempfile.TemporaryDirectory() as d:
	with open(d + "/a.c", "w") as f:
		f.write("#include <stdio.h>\n#include <stddef.h>\n#include <linux/sluice_ring.h>\nint main(void) {\n")
		for n, members in STRUCTS.items():
			for m, _ in members:
				f.write('printf("%%zu\\n", offsetof(struct %s, %s));\n' % (n, m))
			f.write('printf("%%zu\\n", sizeof(struct %s));\n' % n)
		f.write("return 0; }\n")
	subprocess.run(["gcc", "-I", TOP + "/include/uapi", "-o", d + "/a", d + "/a.c"], check=True)
	out = iter(map(int, subprocess.run([d + "/a"], capture_output=True, text=True, check=True).stdout.split()))
for n, members in STRUCTS.items():
	have = layout(n)
	equal([at for at, _, _ in have] + [have[-1][1]], [next(out) for _ in range(len(members) + 1)], "struct %s, member by member" % n)
done()
