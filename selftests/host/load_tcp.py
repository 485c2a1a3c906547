#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""sluice-load over TCP on the loopback device: framings, pipelining, order, connections that end, servers that do not read."""
import os
import resource
import socket
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "cli"), os.path.join(HERE, "lib")]
from sltest import check, contains, done, equal, run, start, stop_all, until	# noqa: E402
from loadlib import (CLOSE, DEAF, RATE, RESET, StreamServer, closed, cut_length, cut_line, cut_memcached,	# noqa: E402
		     cut_resp, frame, load)

TCP = ("--transport", "tcp")
ONE = (*TCP, "--connections", "1")
# where replies or connections are to come and go within the run, however busy the machine is: 800 requests
LONG = ("--duration", "2s")
RESP = ("--protocol", "resp", "--no-preload", "--keys", "300")


def value(key, size=64):
	number = int(key[3:])
	return bytes(ord("a") + (number * 7 + i) % 26 for i in range(size))


def bulk(data):
	return b"$%d\r\n%s\r\n" % (len(data), data)


def kv(words):
	"""What a store would say that has every key."""
	if words[0] == b"SET":
		return b"+OK\r\n" if words[2] == value(words[1]) else b"-ERR value\r\n"
	if words[0] == b"GET":
		return bulk(value(words[1]))
	return b"*%d\r\n" % (len(words) - 1) + b"".join(bulk(value(k)) for k in words[1:])


def echo():
	for name, cut, reply in ("length", cut_length, frame), ("line", cut_line, lambda data: data + b"\n"):
		for dribble in False, True:
			with StreamServer(cut, lambda n, data, c: [reply(data)], dribble=dribble) as s:
				status, js = load(s.target, *TCP, "--framing", name)
				equal((status, js["verdict"], js["transport"], js["offered"], js["answered"]), (0, "valid", "tcp", 200, 200),
				      "%s: echo%s" % (name, ", byte by byte" if dribble else ""))
				closed(js, name)
				equal((s.count, s.accepted), (200, 16), "%s: the server saw as many, on 16 connections" % name)
	with StreamServer(cut_length, lambda n, data, c: [frame(data)], socket.AF_INET6, "::1") as s:
		equal(load(s.target, *TCP)[0], 0, "over IPv6")
		text = run("sluice-load", "--target", s.target, *TCP, *RATE)
		contains(text.out, ["answered ", "run          valid\n"], "the same as text")


def pipelined():
	"""The server keeps 50 requests and answers them in one send, in reverse: ids say which is which."""
	def act(n, data, c):
		c["kept"].insert(0, frame(data))
		if len(c["kept"]) < 50:
			return []
		out, c["kept"] = b"".join(c["kept"]), []
		return [out]

	with StreamServer(cut_length, act) as s:
		status, js = load(s.target, *ONE)
		equal((status, js["answered"], s.accepted), (0, 200, 1), "50 requests on the way, replies in reverse order")
		closed(js, "pipelined")
	for dribble in False, True:
		with StreamServer(cut_resp, lambda n, words, c: [kv(words)], dribble=dribble) as s:
			status, js = load(s.target, *RESP, "--connections", "1", "--multi-get", "3", "--get-ratio", "0.5")
			check(status == 0 and js["answered"] == 200 and js["hits"] > 100 and not js["misses"],
			      "resp: sets and gets%s" % (", byte by byte" if dribble else ""), js)


def many():
	"""More connections than the usual limit of open files."""
	hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
	resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
	with StreamServer(cut_length, lambda n, data, c: [frame(data)]) as s:
		r = run("prlimit", "--nofile=1024:%d" % hard, "sluice-load", "--target", s.target, *TCP, *RATE, "--rate", "4000",
			"--connections", "2000", "--threads", "2", timeout=300)
		check(r.status == 0 and "answered             2000 " in r.out, "2000 connections", r)
		equal((s.count, s.accepted), (2000, 2000), "and as many requests there")


def order():
	"""A request that was given up keeps its place: what comes later is not taken for another's reply."""
	def act(n, words, c):
		c["kept"].append(kv(words))
		if n < 99:
			return []
		out, c["kept"] = b"".join(c["kept"]), []
		return [out]

	with StreamServer(cut_resp, act) as s:
		status, js = load(s.target, *RESP, "--connections", "1", "--get-ratio", "1", "--timeout", "100ms", "--max-loss", "1", *LONG)
		check(js["lost"] >= 50 and js["lost"] + js["answered"] == 800 and 50 <= js["late_replies"] <= js["lost"],
		      "replies after the timeout are late replies", js)
		equal((js["wrong"], js["strange"], js["duplicates"]), (0, 0, 0), "and the others are still matched")
		closed(js, "order")
	with StreamServer(cut_resp, lambda n, words, c: [kv(words)] if n != 5 else []) as s:
		js = load(s.target, *RESP, "--connections", "1", "--get-ratio", "1", "--timeout", "1s")[1]
		check(js["wrong"] > 0, "a reply left out: all after it are another's", js)
	with StreamServer(cut_resp, lambda n, words, c: [kv(words), kv(words)]) as s:
		js = load(s.target, *RESP, "--connections", "200", "--get-ratio", "1")[1]
		check(js["answered"] + js["wrong"] == 200 and js["strange"] > 0, "a reply to nothing is counted apart", js)


def wrong():
	def act(n, words, c):
		return [kv(words) if n != 7 else kv(words).replace(b"a", b"A")]

	with StreamServer(cut_resp, act) as s:
		status, js = load(s.target, *RESP, "--get-ratio", "1")
		equal((status, js["wrong"], js["answered"]), (4, 1, 199), "one wrong value fails the run")
	with StreamServer(cut_resp, lambda n, words, c: [b"$-1\r\n" if n % 2 else kv(words)]) as s:
		status, js = load(s.target, *RESP, "--get-ratio", "1")
		equal((status, js["hits"], js["misses"]), (0, 100, 100), "keys that are not there")
	with StreamServer(cut_resp, lambda n, words, c: [kv(words) if n != 7 else b"$x\r\n"]) as s:
		status, js = load(s.target, *RESP, "--connections", "1", *LONG)
		check(status == 4 and js["wrong"] == 1 and js["closed"] == 1 and s.accepted == 2 and js["answered"] > 7,
		      "what is no reply: wrong, and a new connection", js)
		closed(js, "no reply")
	with StreamServer(cut_length, lambda n, data, c: [frame(data) if n != 7 else b"\xff\xff\xff\xff"]) as s:
		js = load(s.target, *ONE)[1]
		equal((js["wrong"], js["closed"]), (1, 1), "an impossible length likewise")


def refused():
	with StreamServer(cut_resp, lambda n, words, c: [b"-BUSY later\r\n" if n % 2 else kv(words)]) as s:
		status, js = load(s.target, *RESP)
		equal((status, js["answered"], js["refused"]), (0, 100, 100), "resp: refusals are no loss")
	with StreamServer(cut_memcached, lambda n, data, c: [b"SERVER_ERROR busy\r\n" if n % 2 else b"STORED\r\n"]) as s:
		status, js = load(s.target, *TCP, "--protocol", "memcached", "--no-preload", "--get-ratio", "0")
		equal((status, js["answered"], js["refused"]), (0, 100, 100), "memcached: refusals are no loss")
	with StreamServer(cut_length, lambda n, data, c: [frame(b"busy") if n % 2 else frame(data)]) as s:
		status, js = load(s.target, *ONE, "--refused", "busy")
		equal((status, js["answered"], js["refused"]), (0, 100, 100), "raw: a refusal without an id")
	busy = {}

	def sometimes(n, words, c):
		"""Each key is refused once."""
		first = words[0] == b"SET" and words[1] not in busy
		busy[words[1]] = True
		return [b"-BUSY later\r\n" if first else kv(words)]

	with StreamServer(cut_resp, sometimes) as s:
		status, js = load(s.target, "--protocol", "resp", "--keys", "40")
		equal((status, js["answered"]), (0, 200), "a preload that is refused is tried again")


def broken():
	for how in CLOSE, RESET:
		with StreamServer(cut_length, lambda n, data, c: [frame(data) if n % 50 != 49 else how]) as s:
			status, js = load(s.target, *ONE, *LONG)
			check(status == 4 and js["closed"] > 1 and js["broken"] >= js["closed"] and js["answered"] + js["broken"] == 800,
			      "connections that end (%s): their requests are counted" % how, js)
			contains(js["why"], "broken", "it says why")
			closed(js, how)
			check(0 <= s.accepted - js["closed"] <= 1, "and the connections made again", s.accepted)
	with StreamServer(cut_length, lambda n, data, c: [frame(data), CLOSE]) as s:
		status, js = load(s.target, *ONE, "--max-loss", "1", *LONG)
		check(status == 0 and js["closed"] > 10 and js["answered"] > 10 and not js["wrong"], "a request a connection", js)
		closed(js, "request a connection")
	with StreamServer(cut_length, lambda n, data, c: [frame(data)] if n != 99 else [DEAF]) as s:
		status, js = load(s.target, *ONE, *LONG)
		check(status == 4 and js["broken"] == 701 and js["unreachable"] > 0 and js["answered"] == 99,
		      "a server that goes away: broken, and tried again", js)
		closed(js, "gone")
	r = run("sluice-load", "--target", s.target, *TCP)
	check(r.status == 1 and "Connection refused; does a server listen there" in r.err, "none there: refused at the start", r)
	r = run("sluice-load", "--target", s.target, "--protocol", "resp")
	check(r.status == 1 and "Connection refused; does a server listen there" in r.err, "the same with a preload", r)


def unsent_bytes(port):
	"""Bytes that the clients of a port wait to send."""
	total = 0
	for line in open("/proc/net/tcp"):
		words = line.split()
		if words[2].endswith(":%04X" % port):
			total += int(words[4].split(":")[0], 16)
	return total


def backpressure():
	looks = []

	def stuck():
		"""The client's socket takes no more: it did not change over many looks."""
		looks.append(unsent_bytes(s.port))
		return len(looks) > 20 and looks[-1] and len(set(looks[-20:])) == 1

	reading = []

	def read_when():
		if not reading and stuck():
			reading.append(True)
		return bool(reading)

	big = ("--size", "60000", "--connections", "1")
	with StreamServer(cut_length, lambda n, data, c: [frame(data)], read_when=read_when, rcvbuf=8192) as s:
		status, js = load(s.target, *TCP, *big)
		equal((status, js["answered"], s.accepted), (0, 200, 1), "a server that pauses: what the socket does not take waits")
		closed(js, "pause")
	with StreamServer(cut_length, lambda n, data, c: [], read_when=lambda: False, rcvbuf=8192) as s:
		status, js = load(s.target, *TCP, *big, "--timeout", "2s")
		check(status == 4 and js["verdict"] == "failed" and js["blocked"] > 0 and js["blocked"] == js["unsent"] and js["lost"] > 0,
		      "a server that never reads: unsent, blocked, not the generator's fault", js)
		closed(js, "never reads")


def free_port():
	with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
		s.bind(("127.0.0.1", 0))
		return s.getsockname()[1]


def answers(port, ask, want):
	try:
		with socket.create_connection(("127.0.0.1", port), 1) as s:
			s.sendall(ask)
			return want in s.recv(100)
	except OSError:
		return False


def real(name, port, argv):
	"""A server that others wrote: preload, sets, gets, gets of many keys, values of many segments, fewer keys."""
	target = "127.0.0.1:%d" % port
	status, js = load(target, *argv, "--keys", "300")
	check(status == 0 and js["answered"] == 200 and js["hits"] > 100 and not js["misses"], name + ": preloaded, all found", js)
	closed(js, name)
	status, js = load(target, *argv, "--keys", "300", "--multi-get", "50", "--get-ratio", "1", "--no-preload")
	check(status == 0 and js["hits"] == 10000 and not js["wrong"], name + ": gets of 50 keys", js)
	status, js = load(target, *argv, "--keys", "50", "--value-size", "50000", "--multi-get", "4", "--get-ratio", "0.5")
	check(status == 0 and js["answered"] == 200 and not js["misses"], name + ": values of 50000 bytes", js)
	status, js = load(target, *argv, "--keys", "600", "--multi-get", "20", "--get-ratio", "1", "--no-preload",
			  "--value-size", "64")
	check(js["misses"] > 0 and js["wrong"] + js["answered"] == 200, name + ": keys that are not there are misses", js)


def with_memcached():
	user = ("-u", "nobody") if os.getuid() == 0 else ()
	port = free_port()
	start("memcached", *user, "-l", "127.0.0.1", "-p", str(port), "-U", "0", stderr=subprocess.DEVNULL)
	check(until(20, lambda: answers(port, b"version\r\n", b"VERSION")), "memcached answers")
	real("memcached", port, (*TCP, "--protocol", "memcached"))
	r = run("sluice-load", "--target", "127.0.0.1:%d" % port, "--protocol", "resp")
	check(r.status == 1 and "0 of 10000 keys were stored" in r.err and "the last answer was: ERROR\n" in r.err,
	      "a preload in a language that the server does not speak", r)
	stop_all()


def with_redis():
	port = free_port()
	with tempfile.TemporaryDirectory() as d:
		start("redis-server", "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", d, stdout=subprocess.DEVNULL)
		check(until(20, lambda: answers(port, b"PING\r\n", b"PONG")), "redis-server answers")
		real("redis-server", port, ("--protocol", "resp"))
		stop_all()


def usage():
	for argv, part in ((("--protocol", "resp", "--transport", "udp"), "spoken over TCP alone"),
			   (("--framing", "line"), "give --transport tcp"),
			   (("--protocol", "resp", "--framing", "line"), "for --protocol raw"),
			   ((*TCP, "--framing", "line", "--prefix", "a\\n"), "use --framing length"),
			   ((*TCP, "--protocol", "memcached", "--keys", "2", "--multi-get", "3"), "give at least --keys 3"),
			   (("--protocol", "memcached", "--value-size", "2000"), "or --transport tcp")):
		r = run("sluice-load", "--target", "127.0.0.1:1", *argv)
		check(r.status == 2 and not r.out and part in r.err, "wrong options: %s" % " ".join(argv), r)


usage()
echo()
pipelined()
many()
order()
wrong()
refused()
broken()
backpressure()
with_memcached()
with_redis()
done()
