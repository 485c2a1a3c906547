#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every example of the manual pages that is a command line works as it stands, in the order of its page."""
import glob
import os
import re

from sltest import check, consumer, guarded, in_srv, ip, run, sl, slj, start, stop_all, until

MAN = "/usr/share/man/man*/"
ESCAPES = {r"\(dq": '"', r"\(aq": "'", r"\e": "\\"}


def examples(path):
	"""The command lines that a page shows, after their prompt."""
	with open(path) as f:
		text = f.read().partition("\n.Sh EXAMPLES\n")[2].partition("\n.Sh ")[0]
	for line in re.findall(r"^\.Dl [#$] (.*)$", text, re.M):
		for mark, char in ESCAPES.items():
			line = line.replace(mark, char)
		yield line


def works(page, line, namespace="srv", before=""):
	"""A line that ends in & goes on; what it starts is seen to have attached."""
	argv = ("ip", "netns", "exec", namespace, "bash", "-c", "set -o pipefail; " + before + line.rstrip("& "))
	if line.endswith("&"):
		start(*argv)
		check(until(30, lambda: "attached" in sl("ring show").out), "%s: %s" % (page, line), sl("ring show"))
		return
	r = run(*argv, timeout=300)
	check(r.status == 0 and "\nsluice: " not in r.err, "%s: %s" % (page, line), r)


def clean():
	stop_all()
	until(20, lambda: not sl("ring show").out)
	sl("apply", "-", "prune", stdin="# nothing\n")
	if sl("show").out:
		raise RuntimeError(sl("show").out)


def connection():
	"""The id of an open connection."""
	sl("group add behind")
	sl("listener add stream tcp 127.0.0.1:7000 framing line default group behind")
	start("ip", "netns", "exec", "srv", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/7000; sleep 60")
	check(until(30, lambda: sl("conn show").out), "a connection is open", sl("conn show"))
	return slj("conn show")[0]["id"]


def of_sluice(path):
	page = os.path.basename(path)
	# the device that the pages name
	ip("-n", "srv", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0peer")
	ip("-n", "srv", "link", "set", "eth0", "up")
	ip("-n", "srv", "link", "set", "eth0peer", "up")
	for line in examples(path):
		# the ring's number is whatever the kernel gave
		if re.match("sluice ring (set|drain) ", line):
			number = re.search(r"^ring (\d+)", sl("ring show").out, re.M)
			line = re.sub(r"(set|drain) \d+", r"\g<1> %s" % (number[1] if number else "0"), line)
		if line.startswith("sluice conn kill"):
			line = re.sub(r"kill \d+", "kill %d" % connection(), line)
		before = ""
		if line.startswith("sluice conn adopt"):
			connection()
			sl("listener add inside tcp handed framing line default group behind")
			before = "exec 5<>/dev/tcp/127.0.0.1/7000; "
		works(page, line, before=before)
	clean()
	ip("-n", "srv", "link", "del", "eth0")


def of_load(path):
	"""Against real servers at the address that the page has: an echo ring and memcached."""
	ip("-n", "srv", "addr", "add", "192.0.2.1/32", "dev", "s0")
	ip("-n", "cli", "route", "add", "192.0.2.1/32", "via", "10.7.0.1")
	sl("group add echo")
	sl("listener add front udp *:7000 default group echo")
	consumer("echo", "echo")
	start("ip", "netns", "exec", "srv", "memcached", "-u", "nobody", "-l", "192.0.2.1", "-p", "11211", "-U", "11211")
	check(until(30, lambda: ":11211" in in_srv("ss", "-lun").out), "memcached is up")
	for line in examples(path):
		# emulated, beside other work: how fast generator and servers are says nothing here
		works(os.path.basename(path), line + " --timeout 30s" + ("" if "--allow-late" in line else " --allow-late"), "cli")
	clean()


def main():
	pages = sorted(glob.glob(MAN + "sluice*.[18]"))
	check(len(pages) >= 8, "the pages are there", pages)
	for path in pages:
		if os.path.basename(path).startswith("sluice-load"):
			of_load(path)
		elif not os.path.basename(path).startswith("sluiced"):
			of_sluice(path)


guarded(main)
