#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A consumer in another language, written from docs/ring-abi.md alone, serves echo: wire to ring and back."""
import fcntl
import mmap
import os
import select
import struct
import sys
import threading
import time

from sltest import check, equal, guarded, probe, sl, slj, start, until

SETUP, ATTACH, DRAIN, KICK = 0xc158b500, 0xb501, 0xb502, 0xb503
TX = {"kick": 1, "thread": 2, "adaptive": 4}
ATTACHED, DRAINING, NEED_KICK, BROKEN, GONE = 1, 2, 4, 8, 16
MORE, NO_REPLY, REJECT, EXPIRED = 1, 2, 4, 8
U32 = 0xffffffff
_fence = threading.Lock()


def full_barrier():
	"""Taking a lock is an atomic instruction, which no load or store passes."""
	with _fence:
		pass


class Word:
	"""A u32 in shared memory, loaded and stored as a whole."""
	def __init__(self, region, offset):
		self.cell = memoryview(region)[offset:offset + 4].cast("I")

	def load(self):
		return self.cell[0]

	def store(self, value):
		self.cell[0] = value & U32


class Ring:
	def __init__(self, group, classes=((256, 64), (2048, 16)), reply=(0, 0), tx="adaptive"):
		self.fd = os.open("/dev/sluice", os.O_RDWR | os.O_CLOEXEC)
		buf = bytearray(344)
		struct.pack_into("=II32s", buf, 0, 1, TX[tx], group.encode())
		for i, (size, count) in enumerate(classes):
			struct.pack_into("=II", buf, 40 + 8 * i, size, count)
		struct.pack_into("=IIiI", buf, 72, reply[1], reply[0], -1, 0)
		fcntl.ioctl(self.fd, SETUP, buf)
		self.number = struct.unpack_from("=I", buf, 88)[0]
		m = memoryview(buf)[96:]
		regions = [struct.unpack_from("=QQ", m, 16 * i) for i in range(5)]
		self.kernel, self.user, self.requests, self.responses, self.slots = (
			mmap.mmap(self.fd, length, mmap.MAP_SHARED, mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0),
				  offset=offset)
			for (offset, length), writable in zip(regions, (False, True, False, True, True)))
		self.req_tail = [Word(self.kernel, o) for o in struct.unpack_from("=4I", m, 80)]
		self.resp_head = Word(self.kernel, struct.unpack_from("=I", m, 96)[0])
		self.state = Word(self.kernel, struct.unpack_from("=I", m, 100)[0])
		self.req_head = [Word(self.user, o) for o in struct.unpack_from("=4I", m, 104)]
		self.resp_tail, self.need_wakeup = (Word(self.user, o) for o in struct.unpack_from("=II", m, 120))
		self.req_entries, self.resp_entries = struct.unpack_from("=II", m, 132)
		self.slot_offset = struct.unpack_from("=5Q", m, 144)
		self.slot_stride = struct.unpack_from("=5I", m, 184)
		self.slot_first = struct.unpack_from("=5I", m, 204)
		self.slot_count = struct.unpack_from("=5I", m, 224)
		self.head, self.tail, self.ticket, self.sleeps = [0] * 4, 0, 0, 0

	def attach(self):
		fcntl.ioctl(self.fd, ATTACH)

	def drain(self):
		fcntl.ioctl(self.fd, DRAIN)

	def place(self, slot):
		"""Byte offset of a slot, and the bytes of payload it has."""
		for c in range(5):
			if self.slot_first[c] <= slot < self.slot_first[c] + self.slot_count[c]:
				return (self.slot_offset[c] + (slot - self.slot_first[c]) * self.slot_stride[c],
					self.slot_stride[c] - 64)
		raise ValueError("the kernel named slot %d" % slot)

	def take(self):
		"""All requests that wait, highest priority first."""
		got = []
		for prio in range(4):
			tail = self.req_tail[prio].load()
			while self.head[prio] != tail:
				index = prio * self.req_entries + (self.head[prio] & (self.req_entries - 1))
				got.append(struct.unpack_from("=I", self.requests, 4 * index)[0])
				self.head[prio] = (self.head[prio] + 1) & U32
			self.req_head[prio].store(self.head[prio])
		return got

	def header(self, slot):
		at = self.place(slot)[0]
		names = ("len", "orig_len", "rule", "class_id", "prio", "flags", "gen", "gap_reason", "gap", "hash", "listener",
			 "conn", "arrival_ns", "deadline_ns")
		return dict(zip(names, struct.unpack_from("=IIIHBBHHIIIQQQ", self.slots, at)))

	def payload(self, slot, length):
		at = self.place(slot)[0] + 64
		return self.slots[at:at + length]

	def write(self, slot, data):
		at = self.place(slot)[0] + 64
		self.slots[at:at + len(data)] = data

	def answer(self, slot, gen, length, data=None, flags=0):
		if ((self.tail - self.resp_head.load()) & U32) >= self.resp_entries:
			raise BufferError("the response queue is full")
		struct.pack_into("=IIIHH", self.responses, 16 * (self.tail & (self.resp_entries - 1)), slot,
				 slot if data is None else data, length, flags, gen)
		self.tail = (self.tail + 1) & U32

	def flush(self):
		self.resp_tail.store(self.tail)
		full_barrier()
		if self.state.load() & NEED_KICK:
			fcntl.ioctl(self.fd, KICK)

	def ready(self):
		return any(self.req_tail[p].load() != self.head[p] for p in range(4))

	def sleep(self):
		"""Until there is something to do; False when the ring is through."""
		self.ticket = (self.ticket + 1) & U32 or 1
		self.need_wakeup.store(self.ticket)
		full_barrier()
		state = self.state.load()
		if not self.ready() and not state & (DRAINING | BROKEN | GONE):
			self.sleeps += 1
			p = select.poll()
			p.register(self.fd, select.POLLIN | select.POLLRDHUP)
			p.poll()
			state = self.state.load()
		self.need_wakeup.store(0)
		if state & (BROKEN | GONE):
			return False
		full_barrier()
		return self.ready() or not state & DRAINING

	def close(self):
		os.close(self.fd)


# ---- the consumer's process: echo with a twist or two, so that every way to answer is gone ----

def serve(group, tx):
	ring = Ring(group, reply=(256, 8), tx=tx)
	ring.attach()
	print("ready %d" % ring.number, flush=True)
	reply, served = ring.slot_first[4], 0
	while ring.sleep():
		for slot in ring.take():
			h = ring.header(slot)
			now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
			text = ring.payload(slot, h["len"])
			served += 1
			if h["deadline_ns"] and now > h["deadline_ns"]:
				ring.answer(slot, h["gen"], 0, flags=EXPIRED)
			elif text.startswith(b"quiet"):
				ring.answer(slot, h["gen"], 0, flags=NO_REPLY)
			elif text.startswith(b"refuse"):
				ring.answer(slot, h["gen"], 0, flags=REJECT)
			elif text.startswith(b"two"):
				ring.write(reply, b"first")
				ring.answer(slot, h["gen"], 5, data=reply, flags=MORE)
				ring.write(slot, b"second")
				ring.answer(slot, h["gen"], 6)
				ring.flush()
				while ring.resp_head.load() != ring.tail:
					time.sleep(0.001)
			elif text.startswith(b"where"):
				said = b"rule %d prio %d age %d" % (h["rule"], h["prio"], 0 < now - h["arrival_ns"] < 60 * 10 ** 9)
				ring.write(slot, said)
				ring.answer(slot, h["gen"], len(said))
			elif text.startswith(b"twice"):
				ring.answer(slot, h["gen"], h["len"])
				ring.answer(slot, h["gen"], h["len"])
			elif text.startswith(b"toolong"):
				ring.answer(slot, h["gen"], 70000)
			else:
				ring.answer(slot, h["gen"], h["len"])
		ring.flush()
	print("left %d served %d slept" % (served, ring.sleeps), flush=True)
	ring.close()


def consumer(tx):
	p = start("ip", "netns", "exec", "srv", sys.executable, os.path.abspath(__file__), "g", tx)
	line = p.stdout.readline()
	if not line.startswith("ready"):
		raise RuntimeError("the Python consumer: %r" % line)
	p.ring = int(line.split()[1])
	return p


def answers(text, want, what, **kw):
	got = probe(text, **kw)
	equal(got, want, what)


def one_way(tx):
	p = consumer(tx)
	answers("hello ring", ["10.7.0.1 hello ring", "1 replies"], "%s: echo" % tx)
	answers("x" * 1400, ["10.7.0.1 " + "x" * 1400, "1 replies"], "%s: a larger size class" % tx)
	answers("many", ["10.7.0.1 many", "200 replies"], "%s: 200 requests, more than there are slots" % tx, count=200)
	answers("where", ["10.7.0.1 rule 3 prio 0 age 1", "1 replies"], "%s: the header's fields" % tx)
	answers("two", ["10.7.0.1 first", "10.7.0.1 second", "2 replies"], "%s: two datagrams, one from a reply slot" % tx, replies=2)
	answers("refuse", ["10.7.0.1 no", "1 replies"], "%s: refused" % tx)
	answers("quiet", ["0 replies"], "%s: done without a reply" % tx, wait_ms=200)
	answers("twice", ["10.7.0.1 twice", "1 replies"], "%s: answered twice, sent once" % tx, replies=2, wait_ms=500)
	ring = [r for r in slj("ring show") if r["id"] == p.ring][0]
	check(ring["bad_responses"] == 1 and ring["used"] == 0, "%s: the second answer was counted as bad" % tx, ring)
	answers("toolong", ["0 replies"], "%s: an impossible length" % tx, wait_ms=200)
	s = [x for x in slj("stats ring")["objects"] if x["id"] == p.ring][0]
	equal((s["received"], s["outcomes"]["dropped_bad_response"], s["outcomes"]["done"], s["outcomes"]["rejected_consumer"],
	       s["outcomes"]["answered"], s["in_flight"]), (208, 1, 1, 1, 205, 0), "%s: the ledger of the ring" % tx)
	check(sl("ring", "set", str(p.ring), "drain", "on").status == 0, "%s: drained" % tx)
	line = p.stdout.readline().split()
	check(p.wait() == 0 and line[1] == "208" and int(line[3]) > 0, "%s: it left by itself, had slept, and served all" % tx, line)
	check(until(20, lambda: slj("ring show") == []), "%s: the ring is gone" % tx)


def main():
	sl("group add g steer rr")
	sl("listener add l udp *:7000 default group g reject-reply no")
	sl("rule add l 3 text 0 where group g prio 0")
	for tx in "adaptive", "kick", "thread":
		one_way(tx)
	check(sl("check").status == 0, "ledger closed", sl("check"))


if len(sys.argv) > 2:
	serve(sys.argv[1], sys.argv[2])
else:
	guarded(main)
