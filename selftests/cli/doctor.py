#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""sluice doctor says of a machine what is so: with the module and without, with and without privilege, with and without tools."""
import os
import tempfile

from sltest import check, contains, done, equal, run

ROOT = os.getuid() == 0
RELEASE = os.uname().release


def doctor(*areas, **kw):
	r = run("sluice", "-j", "doctor", *areas, **kw)
	js = r.json()
	js["status"] = r.status
	js["by_name"] = {(c["area"], c["name"]): c for c in js["checks"]}
	return js


def states(js):
	return {k: js.get(k) for k in ("build", "load", "run")}


def listed(module):
	try:
		with open("/lib/modules/%s/modules.dep" % RELEASE) as f:
			return any("/%s.ko" % module in line.split(":")[0] for line in f)
	except OSError:
		return False


def always():
	js = doctor()
	faults = {c["area"] for c in js["checks"] if c["status"] == "fault"}
	check(all(c["status"] in ("ok", "note", "fault") and c["detail"] for c in js["checks"]), "each check has its fields", js)
	check(all(c.get("todo") for c in js["checks"] if c["status"] == "fault"), "each fault says what to do", js)
	equal({k for k in ("build", "run") if not js[k]}, faults - {"load"}, "an area with a fault cannot")
	equal(js["status"], 0 if js["build"] and js["load"] and js["run"] else 1, "exit status")
	equal(sorted(k for k in js if k in ("build", "load", "run")), ["build", "load", "run"], "three verdicts")
	js = doctor("run")
	equal(({c["area"] for c in js["checks"]}, "build" in js, js["status"]), ({"run"}, False, 0 if js["run"] else 1),
	      "one area alone")
	text = run("sluice", "doctor").out
	contains(text, ["%s Sluice." % w for w in ("build", "load", "run")], "as text")


def build():
	"""Can build: as the tools and headers are there, seen from outside."""
	def has(program):
		return any(os.access(d + "/" + program, os.X_OK) for d in os.environ["PATH"].split(":"))

	want = ((has("gcc") or has("cc")) and has("make") and os.path.exists("/usr/include/libmnl/libmnl.h") and
		os.path.exists("/usr/include/json-c/json.h") and
		os.path.exists("/lib/modules/%s/build/scripts/Makefile.build" % RELEASE))
	equal(doctor("build")["build"], want, "build: %s, as tools and headers say" % want)
	with tempfile.TemporaryDirectory() as empty:
		sluice = [d + "/sluice" for d in os.environ["PATH"].split(":") if os.access(d + "/sluice", os.X_OK)][0]
		os.symlink(sluice, empty + "/sluice")
		js = doctor("build", env={"PATH": empty})
		check(not js["build"] and "apt-get install" in js["by_name"]["build", "compiler"]["todo"] and
		      "apt-get install" in js["by_name"]["build", "make"]["todo"], "no compiler, no make: what to install", js)


def without_module():
	js = doctor()
	takes = os.path.exists("/proc/modules")
	equal(js["run"], False, "without the module it cannot run")
	contains(js["by_name"]["run", "netlink"]["todo"], "load the module", "it says to load it")
	if not takes:
		equal(js["load"], False, "a kernel without modules cannot load it")
	elif listed("sluice"):
		equal(js["by_name"]["load", "module"]["todo"], "modprobe sluice", "installed: modprobe")
	r = run("sluice", "listener", "show")
	check(r.status == 1 and "the module is not loaded" in r.err and "sluice doctor" in r.err, "other commands send to doctor", r)
	r = run("sluice", "check")
	equal(r.status, 2, "check: 2, for it could not look")


def in_the_machine():
	"""The guest has the module installed, and may load it."""
	js = doctor("load")
	equal(js["load"], True, "root in the guest can load it")
	check(run("modprobe", "sluice").status == 0, "and so it is")
	js = doctor("load", "run")
	equal((js["load"], js["run"], js["status"]), (True, True, 0), "with the module it can run")
	check(js["by_name"]["load", "module"]["detail"].count(".") == 2, "it tells the module's version", js)
	js = doctor(user=65534)
	equal(js["by_name"]["run", "CAP_NET_ADMIN"]["status"], "note", "as nobody: reading only, it says")
	mode = os.stat("/dev/sluice").st_mode & 0o006
	equal(js["by_name"]["run", "/dev/sluice"]["status"], "ok" if mode == 6 else "fault", "as nobody: the device node as its mode")
	os.chmod("/dev/sluice", 0o600)
	js = doctor(user=65534)
	equal((js["run"], js["by_name"]["run", "/dev/sluice"]["status"]), (False, "fault"), "a node that is not for all: cannot run")
	run("rmmod", "sluice")
	equal(doctor("load", user=65534)["by_name"]["load", "CAP_SYS_MODULE"]["status"], "fault", "nobody cannot load it")
	with open("/proc/sys/kernel/modules_disabled") as f:
		equal(f.read().strip(), "0", "modules may be loaded here")
	js = doctor("run", "load")
	equal(js["run"], False, "unloaded again: it cannot run")


run("rmmod", "sluice") if ROOT and "SLUICE_KERNEL" in os.environ else None
always()
build()
if not os.path.isdir("/sys/module/sluice"):
	without_module()
if ROOT and "SLUICE_KERNEL" in os.environ:
	in_the_machine()
done()
