# SPDX-License-Identifier: GPL-2.0-only
"""What the tests of sluice-load share: a run and its result, servers over UDP and TCP that answer as they are told."""
import json
import selectors
import select
import socket
import struct
import threading

from sltest import check, equal, run

# on a machine with other work a reply may take seconds: only what a server holds back is to be lost
RATE = ("--rate", "400", "--duration", "500ms", "--warmup", "0us", "--arrival", "constant", "--allow-late", "--timeout", "20s")


class Server(threading.Thread):
	"""A UDP server whose answers to the n-th request are what act(n, data) lists."""
	def __init__(self, act, family=socket.AF_INET, addr="127.0.0.1"):
		super().__init__(daemon=True)
		self.act, self.count, self.stopping = act, 0, False
		self.sock = socket.socket(family, socket.SOCK_DGRAM)
		self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
		self.sock.bind((addr, 0))
		self.target = ("[%s]:%d" if family == socket.AF_INET6 else "%s:%d") % (addr, self.sock.getsockname()[1])
		self.start()

	def run(self):
		while not self.stopping:
			if not select.select([self.sock], [], [], 0.1)[0]:
				continue
			data, peer = self.sock.recvfrom(65535)
			for reply in self.act(self.count, data):
				self.sock.sendto(reply, peer)
			self.count += 1

	def __enter__(self):
		return self

	def __exit__(self, *exc):
		self.stopping = True
		self.join()
		self.sock.close()


def load(target, *argv):
	"""A run: exit status, and the result out of its JSON."""
	r = run("sluice-load", "--target", target, "--json", *RATE, *argv)
	try:
		return r.status, json.loads(r.out)
	except ValueError:
		check(False, "JSON", r)
		return r.status, {}


def closed(js, what):
	"""Every request that was due ended once."""
	ends = js["answered"] + js["refused"] + js["wrong"] + js["lost"] + js["unsent"] + js["broken"]
	equal(js["offered"], ends, what + ": each request ended once")
	check(ends - js["unsent"] - js["broken"] <= js["sent"] <= ends - js["unsent"] and
	      (js["broken"] or js["sent"] == ends - js["unsent"]), what + ": as many were sent", js)


# ---- streams: a message cut off the front of what was received, and the rest; None while it is not all there ----

def cut_length(data):
	size = struct.unpack(">I", data[:4])[0] if len(data) >= 4 else 1 << 32
	return (data[4:4 + size], data[4 + size:]) if len(data) >= 4 + size else None


def cut_line(data):
	line, end, rest = data.partition(b"\n")
	return (line, rest) if end else None


def cut_memcached(data):
	line, end, rest = data.partition(b"\r\n")
	if not end:
		return None
	if not line.startswith(b"set "):
		return line + end, rest
	size = int(line.split()[4]) + 2
	return (line + end + rest[:size], rest[size:]) if len(rest) >= size else None


def cut_resp(data):
	"""A command as the list of its words."""
	head, end, rest = data.partition(b"\r\n")
	words = []
	while end and len(words) < int(head[1:]):
		size, end, rest = rest.partition(b"\r\n")
		if end and len(rest) >= int(size[1:]) + 2:
			words.append(rest[:int(size[1:])])
			rest = rest[int(size[1:]) + 2:]
		else:
			end = b""
	return (words, rest) if end else None


def frame(payload):
	return struct.pack(">I", len(payload)) + payload


CLOSE, RESET, DEAF = "close", "reset", "deaf"	# what act() may list beside bytes: end the connection; end the listener too


class StreamServer(threading.Thread):
	"""A TCP server: act(n, message, connection) lists what is sent for the n-th request; @dribble: byte by byte."""
	def __init__(self, cut, act, family=socket.AF_INET, addr="127.0.0.1", dribble=False, read_when=None, rcvbuf=0):
		super().__init__(daemon=True)
		self.cut, self.act, self.dribble, self.read_when = cut, act, dribble, read_when
		self.count, self.accepted, self.stopping = 0, 0, False
		self.sock = socket.socket(family, socket.SOCK_STREAM)
		if rcvbuf:
			self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
		self.sock.bind((addr, 0))
		self.sock.listen(1024)
		self.port = self.sock.getsockname()[1]
		self.target = ("[%s]:%d" if family == socket.AF_INET6 else "%s:%d") % (addr, self.port)
		self.sel = selectors.EpollSelector()
		self.sel.register(self.sock, selectors.EVENT_READ)
		self.start()

	def run(self):
		while not self.stopping:
			for key, _ in self.sel.select(0.1):
				if key.fileobj is self.sock:
					self.accept()
				elif not self.read_when or self.read_when():
					self.serve(key.fileobj, key.data)
				else:
					select.select([], [], [], 0.01)

	def accept(self):
		conn = self.sock.accept()[0]
		conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		self.accepted += 1
		self.sel.register(conn, selectors.EVENT_READ, {"data": b"", "kept": []})

	def serve(self, conn, state):
		try:
			data = conn.recv(1 << 20)
			if not data:
				self.end(conn)
				return
			state["data"] += data
			while True:
				found = self.cut(state["data"])
				if not found:
					return
				message, state["data"] = found
				for reply in self.act(self.count, message, state):
					self.send(conn, reply)
					if not isinstance(reply, bytes):
						self.count += 1
						return
				self.count += 1
		except ConnectionError:
			self.end(conn)

	def send(self, conn, reply):
		if not isinstance(reply, bytes):
			if reply == RESET:
				conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
			if reply == DEAF:
				self.end(self.sock)
			self.end(conn)
		elif self.dribble:
			for i in range(len(reply)):
				conn.sendall(reply[i:i + 1])
		else:
			conn.sendall(reply)

	def end(self, conn):
		self.sel.unregister(conn)
		conn.close()

	def __enter__(self):
		return self

	def __exit__(self, *exc):
		self.stopping = True
		self.join()
		for key in list(self.sel.get_map().values()):
			key.fileobj.close()
		self.sel.close()
