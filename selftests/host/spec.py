#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""docs/netlink/sluice.yaml and include/uapi/linux/sluice.h have the same commands, attributes and values; so has the CLI."""
import os
import re
import subprocess
import sys
import tempfile

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
from sltest import check, done, equal	# noqa: E402

SPEC = yaml.safe_load(open(TOP + "/docs/netlink/sluice.yaml"))
HEADER = "".join(open(TOP + "/include/uapi/linux/" + h).read() for h in ("sluice.h", "sluice_ring.h"))
# constants of the specification for what the kernel calls otherwise, or counts otherwise
NOT_IN_HEADER = {"name-max", "word-max", "depth-last", "prio-last"}


def c_name(*parts):
	return "".join(parts).upper().replace("-", "_")


def values(names):
	"""{name: value, or None if the header has no such name}"""
	known = [n for n in names if re.search(r"\b%s\b" % n, HEADER)]
	with tempfile.TemporaryDirectory() as d:
		with open(d + "/a.c", "w") as f:
			f.write("#include <stdio.h>\n#include <linux/sluice.h>\n#include <linux/sluice_ring.h>\nint main(void) {\n")
			f.write("".join('printf("%%llu\\n", (unsigned long long)(%s));\n' % n for n in known) + "return 0; }\n")
		subprocess.run(["gcc", "-I", TOP + "/include/uapi", "-o", d + "/a", d + "/a.c"], check=True)
		out = subprocess.run([d + "/a"], capture_output=True, text=True, check=True).stdout.split()
	return {n: None for n in names} | {n: int(v) for n, v in zip(known, out)}


def same(want, what):
	got = values(list(want))
	equal({k: v for k, v in got.items() if v != want[k]}, {}, what)


def header_names(prefix):
	"""What the header's enums have under a prefix, without the ends of enums."""
	body = re.sub(r"/\*.*?\*/", "", HEADER, flags=re.S)
	found = re.findall(r"^\t(%s\w+)\s*(?:,|=)" % prefix, body, re.M)
	return {n for n in found if not n.endswith("_UNSPEC")}


for d in SPEC["definitions"]:
	if d["type"] == "const":
		if d["name"] not in NOT_IN_HEADER:
			same({c_name("sluice-", d["name"]): d["value"]}, "constant " + d["name"])
		continue
	at, want = -1, {}
	for e in d["entries"]:
		at = e.get("value", at + 1) if isinstance(e, dict) else at + 1
		name = e["name"] if isinstance(e, dict) else e
		want[c_name(d["name-prefix"], name)] = 1 << at if d["type"] == "flags" else at
	same(want, "%s %s" % (d["type"], d["name"]))
	if d["type"] == "enum" and "header" not in d:
		equal(header_names(c_name(d["name-prefix"])) - set(want), set(), "enum %s: the header has no more" % d["name"])
for s in SPEC["attribute-sets"]:
	want = {c_name(s["name-prefix"], a["name"]): n for n, a in enumerate(s["attributes"], 1)}
	same(want, "attribute set " + s["name"])
	equal(header_names(c_name(s["name-prefix"])) - set(want), set(), "attribute set %s: the header has no more" % s["name"])
want = {c_name("sluice-cmd-", op["name"]): op["value"] for op in SPEC["operations"]["list"]}
same(want, "commands")
equal(header_names("SLUICE_CMD_") - set(want), set(), "commands: the header has no more")
check(SPEC["version"] == values(["SLUICE_GENL_VERSION"])["SLUICE_GENL_VERSION"], "version")

# The CLI's own tables (user/cli/schema.c) name attributes as the specification does.
schema = open(TOP + "/user/cli/schema.c").read()
for s in SPEC["attribute-sets"]:
	for a in s["attributes"]:
		if a["type"] == "pad":
			continue
		name = c_name(s["name-prefix"], a["name"])
		check(re.search(r'\[%s\] = A\w*\(\w+, \w+, "%s"' % (name, a["name"]), schema), "the CLI knows %s" % name,
		      "user/cli/schema.c has no [%s] = A(..., \"%s\", ...)" % (name, a["name"]))
done()
