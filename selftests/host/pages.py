#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The manual pages name every command and option that the programs have, and no other; functions likewise."""
import glob
import os
import re
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
from sltest import check, done, equal, run	# noqa: E402

PAGES = {os.path.basename(p): open(p).read() for p in glob.glob(TOP + "/docs/man/*.[0-9]")}
# commands that share a page
PAGE_OF = {"apply": "sluice-apply.8", "show": "sluice-apply.8", "stats": "sluice-stats.8", "check": "sluice-stats.8",
	   "top": "sluice-stats.8", "monitor": "sluice-stats.8", "explain": "sluice-explain.8", "doctor": "sluice.8",
	   "export": "sluice.8", "help": "sluice.8", "listener": "sluice-listener.8", "group": "sluice-group.8",
	   "rule": "sluice-rule.8", "ring": "sluice-ring.8", "conn": "sluice-conn.8", "cancel": "sluice-cancel.8"}


def words_of(page):
	"""Everything in a page that is marked up as a literal word of a command."""
	found = set()
	for line in page.splitlines():
		for m in re.finditer(r"\bCm ((?:[a-z0-9|,-]+ ?)+)", line):
			found.update(re.findall(r"[a-z0-9-]+", m[1]))
	return found


def items(page):
	"""The words that have an entry of their own."""
	return {w for line in page.splitlines() if line.startswith(".It Cm") for w in re.findall(r"\bCm ([a-z0-9-]+)", line)}


def commands():
	top = run("sluice", "help").out
	names = re.findall(r"^  ([a-z]+) ", top, re.M)
	equal(set(names) - set(PAGE_OF), set(), "every command has its page")
	equal(set(names) - items(PAGES["sluice.8"]), set(), "sluice.8 has them all")
	equal({"-" + x for x in re.findall(r"^  -([a-zA-Z]), ", top, re.M)} -
	      {"-" + x for line in PAGES["sluice.8"].splitlines() if line.startswith(".It Fl")
	       for x in re.findall(r"Fl (\w)\b", line)}, set(), "sluice.8 has the options")
	for name in names:
		page = PAGES[PAGE_OF[name]]
		check(name in words_of(page), "%s has %s" % (PAGE_OF[name], name))
		text = run("sluice", "help", name).out
		verbs = re.findall(r"^  sluice %s ([a-z]+)" % name, text, re.M)
		equal(set(verbs) - words_of(page), set(), "%s has all verbs" % PAGE_OF[name])
		options = set()
		for verb in verbs:
			options |= set(re.findall(r"^  ([a-z0-9-]+)(?: |$)", run("sluice", "help", name, verb).out.partition("Options")[2],
						  re.M))
		if name != "ring":
			equal(options - items(page), set(), "%s explains every option" % PAGE_OF[name])
		if options and name != "ring":
			equal(set(re.findall(r"^\.It Cm ([a-z0-9-]+)", page, re.M)) - options, set(), "%s explains no option that there is not" % PAGE_OF[name])
		usage = text.partition("\n")[0]
		if not verbs:
			literal = set(re.findall(r"\b[a-z-]+\b", usage.partition(name)[2]))
			equal({w for w in literal if len(w) > 1} - words_of(page), set(), "%s has the words of %s" % (PAGE_OF[name], name))


def options_of(name, page):
	"""A program whose --help lists "-t, --target ARG"."""
	listed = set(re.findall(r"^ *(?:-[A-Za-z], *)?--([a-z-]+)", run(name, "--help").out, re.M))
	found = {x for line in PAGES[page].splitlines() if line.startswith(".It Fl") for x in re.findall(r"Fl -([a-z-]+)", line)}
	equal(found, listed, "%s has the options, and no other" % page)
	short = dict(re.findall(r"^ *-([A-Za-z]), *--([a-z-]+)", run(name, "--help").out, re.M))
	found = {a: b for line in PAGES[page].splitlines() if line.startswith(".It Fl")
		 for a, b in re.findall(r"Fl ([A-Za-z]) , Fl -([a-z-]+)", line)}
	equal(found, short, "and their letters")


def library():
	exported = set(re.findall(r"\b(sluice_\w+);", open(TOP + "/user/lib/libsluice.map").read()))
	page = PAGES["libsluice.3"]
	synopsis = page.partition(".Sh SYNOPSIS")[2].partition(".Sh DESCRIPTION")[0]
	equal(set(re.findall(r"^\.Fn (sluice_\w+)", synopsis, re.M)), exported, "libsluice.3 declares what the library exports")
	equal(set(re.findall(r"^\.Nm (sluice_\w+)", page, re.M)), exported, "and names it")
	header = open(TOP + "/include/sluice/sluice.h").read()
	for name, kind in (("sluice_ring_config", "config"), ("sluice_request", "request")):
		body = re.search(r"^struct %s \{(.*?)^\};" % name, header, re.M | re.S)[1]
		body = re.sub(r"struct \{.*?\} ", "", body, flags=re.S)
		members = set(re.findall(r"(\w+)(?:\[[^]]*\])?;", body)) - {"slot", "gen"}
		said = {m for line in page.splitlines() for m in re.findall(r"\bFa ((?:\w+(?: , )?)+)", line)}
		said = {w for part in said for w in part.split(" , ")}
		equal(members - said, set(), "libsluice.3 explains every member of a %s" % kind)


def example():
	"""The program that libsluice.3 shows compiles, without a warning, against what is built here."""
	code = PAGES["libsluice.3"].partition(".Bd -literal -offset indent\n")[2].partition(".Ed\n")[0].replace("\\e", "\\")
	with tempfile.TemporaryDirectory() as d:
		with open(d + "/echo.c", "w") as f:
			f.write(code)
		r = run("gcc", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-I", TOP + "/include", "-o", d + "/echo", d + "/echo.c",
			"-L", TOP + "/build/user/lib", "-lsluice", "-Wl,-rpath," + os.path.abspath(TOP + "/build/user/lib"))
		check(r.status == 0, "the example of libsluice.3 compiles", r)
		r = run(d + "/echo", "nothing")
		check(r.status == 1 and len(r.err) > 10, "and says why it cannot run here", r)


def references():
	for name, page in PAGES.items():
		own = set(re.findall(r"\.Xr ((?:sluice|libsluice)[a-z-]*) (\d)", page))
		known = {tuple(p.rsplit(".", 1)) for p in PAGES} | {("sluice-check", "8"), ("sluiced", "8"), ("sluiced.conf", "5")}
		equal(own - known, set(), "%s refers to pages that there are" % name)


commands()
options_of("sluice-load", "sluice-load.1")
if "sluiced.8" in PAGES:
	options_of("sluiced", "sluiced.8")
library()
example()
references()
done()
