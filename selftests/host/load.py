#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""sluice-load over UDP on the loopback device, against servers that lose, falsify, refuse or answer late: its report is so."""
import json
import os
import pty
import select
import socket
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "cli"), os.path.join(HERE, "lib")]
from sltest import check, contains, done, equal, run, skip, start, stop_all, until	# noqa: E402
from loadlib import RATE, Server, closed, load	# noqa: E402

def echo():
	with Server(lambda n, data: [data]) as s:
		status, js = load(s.target, "--size", "100")
		equal((status, js["verdict"], js["why"]), (0, "valid", ""), "an echo server: valid")
		equal((js["offered"], js["answered"], js["lost"]), (200, 200, 0), "constant arrivals: all due, sent, answered")
		closed(js, "echo")
		q = js["latency_us"]
		check(0 < q["p50"] <= q["p90"] <= q["p99"] <= q["p99_9"] <= q["max"], "percentiles ascend", q)
		equal(s.count, 200, "the server saw as many")
		text = run("sluice-load", "--target", s.target, *RATE)
		contains(text.out, ["offered ", "answered ", "latency us", "run          valid\n"], "the same as text")
	with Server(lambda n, data: [data], socket.AF_INET6, "::1") as s:
		equal(load(s.target)[0], 0, "over IPv6")


def loss():
	def act(n, data):
		return [] if n % 4 == 0 else [data]

	with Server(act) as s:
		status, js = load(s.target, "--timeout", "5s")
		equal((status, js["verdict"], js["lost"]), (4, "failed", 50), "one of four lost: counted, and the run failed")
		contains(js["why"], "--max-loss", "it says why")
		closed(js, "loss")
	with Server(act) as s:
		equal(load(s.target, "--timeout", "5s", "--max-loss", "0.25")[0], 0, "--max-loss 0.25 allows it")
	with Server(act) as s:
		equal(load(s.target, "--timeout", "5s", "--max-loss", "0.24")[0], 4, "--max-loss 0.24 does not")
	with Server(lambda n, data: []) as s:
		status, js = load(s.target, "--timeout", "100ms", "--max-loss", "1")
		check(status == 4 and "no reply at all" in js["why"], "silence is a failure whatever is allowed", js)
	with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
		free.bind(("127.0.0.1", 0))
		target = "127.0.0.1:%d" % free.getsockname()[1]
	status, js = load(target, "--timeout", "1s")
	check(status == 4 and js["unreachable"] > 0 and js["lost"] == js["sent"], "nobody there: unreachable, all lost", js)


def late_replies():
	kept = []

	def act(n, data):
		kept.append(data)
		return [kept[-101]] if n >= 100 else []

	with Server(act) as s:
		status, js = load(s.target, "--timeout", "50ms", "--connections", "1")
		equal((status, js["answered"], js["lost"]), (4, 0, 200), "answers after the timeout: lost")
		check(0 < js["late_replies"] <= 100, "and counted as late replies, once each", js)
		closed(js, "late replies")


def objective():
	kept = []

	def act(n, data):
		kept.append(data)
		return [data, kept[n - 101]] if n > 100 else [data] if n % 2 else []

	with Server(act) as s:
		js = load(s.target, "--timeout", "20s", "--objective", "100ms", "--connections", "1", "--max-loss", "1")[1]
		check(50 <= js["in_time"] < js["answered"] and js["lost"] > 0, "--objective: some replies came in time", js)
	with Server(lambda n, data: [data]) as s:
		js = load(s.target, "--objective", "20s")[1]
		equal(js["in_time"], js["answered"], "--objective: all replies came in time")
		equal(load(s.target)[1]["in_time"], 0, "without it none is counted")


def wrong():
	with Server(lambda n, data: [data[:-1] + b"#"] if n == 7 else [data]) as s:
		status, js = load(s.target)
		equal((status, js["verdict"], js["wrong"]), (4, "failed", 1), "one wrong byte fails the run")
		closed(js, "wrong")
	with Server(lambda n, data: [data[:-1] + b"#"]) as s:
		equal(load(s.target, "--check", "id")[0], 0, "--check id looks at the id alone")
	with Server(lambda n, data: [data[:40]]) as s:
		equal(load(s.target)[1]["wrong"], 200, "a short reply is wrong")
	with Server(lambda n, data: [data, data]) as s:
		status, js = load(s.target)
		check(status == 0 and js["answered"] == 200 and js["duplicates"] >= 190, "second replies are counted apart", js)
	with Server(lambda n, data: [b"nonsense", data]) as s:
		status, js = load(s.target)
		check(status == 0 and js["strange"] >= 190, "replies to nothing are counted apart", js)


def refused():
	with Server(lambda n, data: [b"busy"] if n % 2 else [data]) as s:
		status, js = load(s.target, "--refused", "busy", "--connections", "1")
		equal((status, js["answered"], js["refused"]), (0, 100, 100), "refusals are no loss")
		check(js["refused_us"]["p50"] > 0, "their latency is told apart", js)
		closed(js, "refused")
	with Server(lambda n, data: [b"busy" + data]) as s:
		equal(load(s.target, "--refused", "busy")[1]["refused"], 200, "a refusal that repeats the request")


def lateness():
	with Server(lambda n, data: [data]) as s:
		r = run("sluice-load", "--target", s.target, "--json", "--rate", "1000", "--duration", "300ms", "--warmup", "0us",
			"--late", "1us")
		js = json.loads(r.out)
		check(r.status == 3 and js["verdict"] == "void" and js["late_percent"] > 1, "over 1 % late: void", js)
		contains(js["why"], "--allow-late", "it says what to do")
		r = run("sluice-load", "--target", s.target, "--json", "--rate", "1000", "--duration", "300ms", "--warmup", "0us",
			"--late", "1us", "--allow-late", "--timeout", "20s")
		js = json.loads(r.out)
		check(r.status == 0 and js["late"] > 0, "--allow-late: valid, the lateness still told", js)


def dropped():
	"""A flood that the receive buffer cannot hold while the generator does not read: the kernel's own count shows."""
	limit = int(open("/proc/sys/net/core/rmem_max").read())

	def act(n, data):
		return [data] * (400 if n < 20 else 1)

	with Server(act) as s:
		with subprocess.Popen(["sluice-load", "--target", s.target, "--json", "--rate", "400", "--duration", "500ms",
				       "--warmup", "0us", "--arrival", "constant", "--allow-late", "--size", "60000",
				       "--connections", "1"], stdout=subprocess.PIPE, text=True) as p:
			out = p.communicate(timeout=60)[0]
		js = json.loads(out)
		if not js["dropped"]:
			skip("receive drops", "the buffer (limit %d) held a burst of 20 x 400 replies" % limit)
			return
		check(js["dropped"] > 0, "replies dropped in the receive buffer are told", js)
		check(p.returncode == 3 and "lost requests itself" in js["why"], "and void the run", js)


def memcached(*argv):
	port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	port.bind(("127.0.0.1", 0))
	number = port.getsockname()[1]
	port.close()
	user = ("-u", "nobody") if os.getuid() == 0 else ()
	start("memcached", *user, "-l", "127.0.0.1", "-p", "0", "-U", str(number), *argv, stderr=subprocess.DEVNULL)
	target = "127.0.0.1:%d" % number

	def up():
		with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
			s.connect(("127.0.0.1", number))
			s.settimeout(0.2)
			try:
				s.send(b"\0\1\0\0\0\1\0\0version\r\n")
				return b"VERSION" in s.recv(100)
			except OSError:
				return False

	check(until(20, up), "memcached answers")
	return target


def with_memcached():
	target = memcached()
	mc = ("--protocol", "memcached", "--keys", "300", "--timeout", "20s")
	status, js = load(target, *mc)
	check(status == 0 and js["answered"] == 200 and js["hits"] > 100 and not js["misses"], "memcached: preloaded, all found", js)
	status, js = load(target, *mc, "--multi-get", "20", "--get-ratio", "1", "--no-preload")
	check(status == 0 and js["answered"] == 200 and js["hits"] == 4000 and not js["wrong"],
	      "a get of 20 keys, which memcached answers in 20 datagrams", js)
	status, js = load(target, "--protocol", "memcached", "--keys", "600", "--multi-get", "50", "--get-ratio", "1",
			  "--no-preload", "--timeout", "20s")
	check(status == 0 and js["answered"] == 200 and js["misses"] > 0 and js["hits"] + js["misses"] == 10000,
	      "keys that are not there are misses, no failure without a preload", js)
	status, js = load(target, "--protocol", "memcached", "--keys", "600", "--get-ratio", "1", "--no-preload", "--max-miss", "0",
			  "--timeout", "20s")
	check(status == 4 and "--max-miss" in js["why"], "--max-miss 0 makes them one", js)
	with Server(lambda n, data: [data[:8] + (b"STORED\r\n" if b"set" in data else b"END\r\n")]) as s:
		r = run("sluice-load", "--target", s.target, *mc)
		check(r.status == 1 and "0 of 300 keys were stored and read back" in r.err and "the last answer was: END" in r.err,
		      "a server that keeps nothing does not pass the preload", r)
	stop_all()


def reordered():
	"""Datagrams of one answer that overtake each other: what was sent is found, whatever came first."""
	def value(key):
		text = bytes(97 + (key * 7 + i) % 26 for i in range(10))
		return b"VALUE key%09d %d 10\r\n%s\r\n" % (key, key & 0xffff, text)

	def answers(order, lost=()):
		def act(n, data):
			parts = [value(int(k[3:])) for i, k in enumerate(data[8:].split()[1:]) if i not in lost] + [b"END\r\n"]
			return [data[:2] + b"\0\0\0\1\0\0" + parts[i] for i in order]
		return act

	argv = ("--protocol", "memcached", "--keys", "500", "--multi-get", "3", "--get-ratio", "1", "--no-preload", "--value-size", "10")
	for order, what in (((3, 0, 1, 2), "END first"), ((2, 3, 0, 1), "END in between"), ((2, 0, 1, 3), "the last value first")):
		with Server(answers(order)) as s:
			status, js = load(s.target, *argv)
			equal((status, js["answered"], js["wrong"], js["hits"], js["misses"], js["duplicates"]), (0, 200, 0, 600, 0, 0),
			      "%s: every key was found" % what)
	with Server(answers((2, 0, 1), lost=(1,))) as s:
		js = load(s.target, *argv)[1]
		equal((js["hits"], js["misses"], js["duplicates"]), (400, 200, 0), "a key without a value is a miss")
	with Server(answers((0, 2, 1, 1), lost=(1,))) as s:
		js = load(s.target, *argv)[1]
		equal((js["hits"], js["misses"], js["duplicates"]), (400, 200, 200), "the same value again finds nothing more")


def progress():
	with Server(lambda n, data: [data]) as s:
		master, slave = pty.openpty()
		p = start("sluice-load", "--target", s.target, *RATE, stderr=slave)
		os.close(slave)
		text = b""
		while select.select([master], [], [], 20)[0]:
			try:
				part = os.read(master, 4096)
			except OSError:
				break
			if not part:
				break
			text += part
		p.wait()
		contains(text.decode(), ["\r\033[K", "sent ", "answered ", "lost "], "a progress line on a terminal")
		check(text.endswith(b"\r\033[K"), "wiped at the end", text)
		os.close(master)
		r = run("sluice-load", "--target", s.target, *RATE)
		equal(r.err, "", "none where no terminal is")
	stop_all()


def usage():
	for argv, part in ((("--target", "127.0.0.1"), "192.0.2.1:11211"), ((), "give --target"),
			   (("--target", "x:1", "--rate", "0"), "a whole number from 1"),
			   (("--target", "127.0.0.1:1", "--duration", "5"), "500us, 20ms or 1.5s"),
			   (("--target", "127.0.0.1:1", "--max-loss", "2"), "a share from 0 to 1"),
			   (("--target", "127.0.0.1:1", "--size", "10"), "give at least 16"),
			   (("--target", "127.0.0.1:1", "--threads", "4", "--connections", "2"), "needs a socket of its own"),
			   (("--target", "127.0.0.1:1", "--protocol", "dns"), "one of raw|memcached|resp"),
			   (("--target", "127.0.0.1:1", "--frob"), "see sluice-load --help"),
			   (("--target", "127.0.0.1:1", "frob"), "options begin with --")):
		r = run("sluice-load", *argv)
		check(r.status == 2 and not r.out and part in r.err, "wrong options: %s" % " ".join(argv), r)
	r = run("sluice-load", "--help")
	check(r.status == 0 and "usage: sluice-load" in r.out and "--max-loss" in r.out, "--help", r)
	r = run("sluice-load", "--version")
	check(r.status == 0 and r.out.startswith("sluice-load "), "--version", r)


usage()
echo()
loss()
late_replies()
objective()
wrong()
refused()
lateness()
dropped()
with_memcached()
reordered()
progress()
done()
