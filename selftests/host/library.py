#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""libsluice as others build with it: headers in C and C++, the kept ABI, an installed tree with pkg-config, the echo on a page.

usage: library.py [-w]    -w: write user/lib/libsluice.abi anew
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
from sltest import check, done, equal, run, skip	# noqa: E402

ABI = TOP + "/user/lib/libsluice.abi"
SHARED = TOP + "/build/user/lib/libsluice.so"
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion")
DIALECTS = (("gcc", "c", "c99"), ("gcc", "c", "c11"), ("clang", "c", "c99"), ("clang", "c", "c11"),
	    ("g++", "c++", "c++11"), ("g++", "c++", "c++20"), ("clang++", "c++", "c++17"))


def headers():
	"""Each public header alone, twice, without a warning."""
	names = [os.path.relpath(h, TOP + "/include") for h in sorted(glob.glob(TOP + "/include/sluice/*.h"))]
	names += [os.path.relpath(h, TOP + "/include/uapi") for h in sorted(glob.glob(TOP + "/include/uapi/linux/*.h"))]
	check(len(names) > 4, "there are headers", names)
	with tempfile.TemporaryDirectory() as d:
		for compiler, language, standard in DIALECTS:
			wrong = []
			for name in names:
				with open(d + "/a.c", "w") as f:
					f.write("#include <%s>\n#include <%s>\nint main(void) { return 0; }\n" % (name, name))
				r = run(compiler, "-x", language, "-std=" + standard, *STRICT, "-I", TOP + "/include", "-I", TOP + "/include/uapi",
					"-fsyntax-only", d + "/a.c")
				if r.status:
					wrong.append(str(r))
			check(not wrong, "headers compile alone: %s -std=%s" % (compiler, standard), "\n".join(wrong))


def exported():
	"""[symbol and version]"""
	r = run("nm", "-D", "--defined-only", "--with-symbol-versions", SHARED)
	return sorted(" ".join(m) for m in re.findall(r"^[0-9a-f]+ T (\w+)@@([\w.]+)$", r.out, re.M))


def layouts():
	"""["struct NAME SIZE: member offset, ..."] of the public header, as the compiler lays them out."""
	text = re.sub(r"/\*.*?\*/", "", open(TOP + "/include/sluice/sluice.h").read(), flags=re.S)
	found = []
	for name, body in re.findall(r"^struct (\w+) \{\n(.*?)^\};", text, re.M | re.S):
		body = re.sub(r"struct \{.*?\} ", "", body, flags=re.S)
		found.append((name, re.findall(r"(\w+)(?:\[[^]]*\])?;", body)))
	with tempfile.TemporaryDirectory() as d:
		with open(d + "/a.c", "w") as f:
			f.write("#include <stdio.h>\n#include <stddef.h>\n#include <sluice/sluice.h>\nint main(void) {\n")
			for name, members in found:
				f.write('printf("struct %s %%zu:", sizeof(struct %s));\n' % (name, name))
				for i, m in enumerate(members):
					f.write('printf("%s %s %%zu", offsetof(struct %s, %s));\n' % ("," if i else "", m, name, m))
				f.write('puts("");\n')
			f.write("return 0; }\n")
		subprocess.run(["gcc", "-I", TOP + "/include", "-o", d + "/a", d + "/a.c"], check=True)
		return run(d + "/a").out.splitlines()


def abi():
	now = exported() + layouts()
	kept = [x for x in open(ABI).read().splitlines() if not x.startswith("#")]
	equal(now, kept, "symbols and layouts are those of user/lib/libsluice.abi (meant to change it? library.py -w, and mind who links)")
	script = open(TOP + "/user/lib/libsluice.map").read()
	by_version = [(version, re.findall(r"(\w+);", body.split("local:")[0]))
		      for version, body in re.findall(r"(SLUICE_[0-9.]+) \{(.*?)\}", script, re.S)]
	equal(exported(), sorted("%s %s" % (name, version) for version, names in by_version for name in names),
	      "the version script exports these and nothing else")
	header = re.sub(r"/\*.*?\*/", "", open(TOP + "/include/sluice/sluice.h").read(), flags=re.S)
	equal(sorted(set(re.findall(r"\b(sluice_\w+)\(", header))), [x.split()[0] for x in exported()], "the header declares just these")
	static = set(re.findall(r"^[0-9a-f]+ T (\w+)$", run("nm", TOP + "/build/user/lib/libsluice.a").out, re.M))
	equal({x.split()[0] for x in exported()} - static, set(), "the static library has them too")
	equal({x for x in static if not x.startswith("sluice_") and not x.startswith("__")}, set(), "and takes no other name")


def installed():
	"""make install into an empty place; what pkg-config says builds the example there, shared and static."""
	with tempfile.TemporaryDirectory() as d:
		r = run("make", "--no-print-directory", "-C", TOP + "/user", "install", "DESTDIR=" + d, "PREFIX=/usr")
		check(r.status == 0, "make install DESTDIR=", r)
		env = dict(os.environ, PKG_CONFIG_PATH=d + "/usr/lib/pkgconfig", PKG_CONFIG_SYSROOT_DIR=d)
		equal(run("pkg-config", "--modversion", "sluice", env=env).out.strip(),
		      re.search(r"^VERSION := (\S+)", open(TOP + "/user/Makefile").read(), re.M)[1], "pkg-config knows its version")
		for kind, flags in (("shared", ()), ("static", ("--static",))):
			words = run("pkg-config", *flags, "--cflags", "--libs", "sluice", env=env).out.split()
			r = run("cc", *STRICT, "-std=c99", "-D_POSIX_C_SOURCE=200809L", "-Wno-conversion", *(("-static",) if flags else ()),
				"-o", d + "/echo", TOP + "/user/examples/echo.c", *words)
			if not check(r.status == 0, "the example builds: " + kind, r):
				continue
			needed = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", d + "/echo").out)
			equal("libsluice.so.0" in needed, kind == "shared", "and is " + kind)
			r = run(d + "/echo", "nothing", env=dict(os.environ, LD_LIBRARY_PATH=d + "/usr/lib"))
			if os.path.exists("/dev/sluice"):
				skip("it runs", "a module is loaded here")
			else:
				check(r.status == 1 and "/dev/sluice" in r.err, "and runs as far as it can here: it says what is missing", r)
		missing = [x for x in ("bin/sluice", "bin/sluiced", "bin/sluice-load", "include/sluice/sluice.h", "include/sluice/handler.h",
				       "lib/libsluice.so.0", "share/man/man3/libsluice.3", "share/man/man8/sluiced.8",
				       "share/bash-completion/completions/sluice") if not os.path.exists(d + "/usr/" + x)]
		equal(missing, [], "what is installed")


def page():
	lines = len(open(TOP + "/user/examples/echo.c").read().splitlines())
	check(lines <= 60, "the echo consumer has at most 60 lines", lines)


if sys.argv[1:] == ["-w"]:
	with open(ABI, "w") as out:
		out.write("# What programs that link with libsluice.so.0 rely on. Checked, and made, by selftests/host/library.py.\n")
		out.write("".join(x + "\n" for x in exported() + layouts()))
	sys.exit(0)
headers()
abi()
installed()
page()
done()
