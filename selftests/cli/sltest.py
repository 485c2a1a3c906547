# SPDX-License-Identifier: GPL-2.0-only
"""What the Python tests share: KTAP, running commands, the two namespaces, waiting for conditions."""
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NET = os.path.join(HERE, "..", "net")	# where ring_client and udp_probe lie

_count = 0
_failures = 0
_children = []


def check(ok, what, detail=None):
	"""One case; @detail is printed if it fails."""
	global _count, _failures
	_count += 1
	if not ok:
		_failures += 1
		for line in str(detail).splitlines() if detail is not None else []:
			print("# " + line)
	print("%s %d %s" % ("ok" if ok else "not ok", _count, what), flush=True)
	return ok


def equal(got, want, what):
	return check(got == want, what, "got %r\nwant %r" % (got, want))


def contains(text, parts, what):
	parts = [parts] if isinstance(parts, str) else parts
	return check(all(p in text for p in parts), what, "got %r\nwant in it %r" % (text, parts))


def skip(what, why):
	global _count
	_count += 1
	print("ok %d %s # SKIP %s" % (_count, what, why), flush=True)


def done():
	print("1..%d" % _count)
	sys.exit(1 if _failures else 0)


class Result:
	def __init__(self, argv, status, out, err):
		self.argv, self.status, self.out, self.err = argv, status, out, err

	def __str__(self):
		return "%s\nstatus %d\nstdout %r\nstderr %r" % (" ".join(map(str, self.argv)), self.status, self.out, self.err)

	def json(self):
		return json.loads(self.out)


def run(*argv, stdin=None, env=None, timeout=120, user=None, pass_fds=()):
	"""Run a command to its end; its output as text."""
	p = subprocess.run(argv, input=stdin, env=env, timeout=timeout, user=user, group=user, pass_fds=pass_fds,
			   extra_groups=[] if user else None, capture_output=True, text=True)
	return Result(argv, p.returncode, p.stdout, p.stderr)


def until(seconds, condition):
	"""Wait for a condition, at most so long."""
	end = time.monotonic() + seconds
	while not condition():
		if time.monotonic() > end:
			return False
		time.sleep(0.05)
	return True


def start(*argv, **kw):
	"""Start a command that stop_all() ends."""
	kw.setdefault("stdout", subprocess.PIPE)
	kw.setdefault("text", True)
	p = subprocess.Popen(argv, **kw)
	_children.append(p)
	return p


def stop_all():
	for p in _children:
		if p.poll() is None:
			p.send_signal(signal.SIGKILL)
		p.wait()
	_children.clear()


# ---- in the machine ----

def ip(*argv):
	r = run("ip", *argv)
	if r.status:
		raise RuntimeError(str(r))


def net_up():
	"""Namespaces srv (10.7.0.1, fd07::1) and cli (10.7.0.2, fd07::2), joined."""
	run("modprobe", "sluice")
	if not os.path.isdir("/sys/module/sluice"):
		raise RuntimeError("the module is not loaded")
	for name in "srv", "cli":
		ip("netns", "add", name)
		ip("-n", name, "link", "set", "lo", "up")
	ip("-n", "srv", "link", "add", "s0", "type", "veth", "peer", "name", "c0", "netns", "cli")
	ip("-n", "srv", "addr", "add", "10.7.0.1/24", "dev", "s0")
	ip("-n", "srv", "addr", "add", "fd07::1/64", "dev", "s0", "nodad")
	ip("-n", "cli", "addr", "add", "10.7.0.2/24", "dev", "c0")
	ip("-n", "cli", "addr", "add", "fd07::2/64", "dev", "c0", "nodad")
	ip("-n", "srv", "link", "set", "s0", "up")
	ip("-n", "cli", "link", "set", "c0", "up")


def net_down():
	stop_all()
	for name in "srv", "cli":
		run("ip", "netns", "del", name)


def in_srv(*argv, **kw):
	return run("ip", "netns", "exec", "srv", *argv, **kw)


def sl(*words, **kw):
	"""sluice in the server's namespace; words may be given in one string."""
	if len(words) == 1 and isinstance(words[0], str):
		words = words[0].split()
	return in_srv("sluice", *words, **kw)


def as_nobody(words):
	"""sluice in the server's namespace, by a user without any privilege."""
	drop = "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execvp(sys.argv[1], sys.argv[1:])"
	return in_srv("python3", "-c", drop, "sluice", *words.split())


def slj(*words):
	"""The same with -j: what it prints, parsed; None if it failed."""
	if len(words) == 1:
		words = words[0].split()
	r = in_srv("sluice", "-j", *words)
	return r.json() if r.out else None


def probe(text, count=1, wait_ms=5000, addr="10.7.0.1", port=7000, replies=None):
	"""Send datagrams from the client's side; the lines that udp_probe prints."""
	argv = [NET + "/udp_probe", addr, str(port), text, str(count), str(wait_ms)]
	if replies is not None:
		argv.append(str(replies))
	return run("ip", "netns", "exec", "cli", *argv).out.splitlines()


def consumer(*argv):
	"""A ring_client that is attached when this returns; .ring is its number."""
	p = start("ip", "netns", "exec", "srv", NET + "/ring_client", *map(str, argv))
	line = p.stdout.readline()
	if not line.startswith("ready "):
		raise RuntimeError("ring_client %s: %r" % (argv, line))
	p.ring = int(line.split()[1])
	return p


def kill(p):
	p.send_signal(signal.SIGKILL)
	p.wait()


def guarded(main):
	"""Run a test's main(); whatever happens the namespaces go and the plan is printed."""
	try:
		net_up()
		main()
	except Exception as e:	# pylint: disable=broad-except
		import traceback
		check(False, "ran to its end", traceback.format_exc() or str(e))
	finally:
		net_down()
	done()
