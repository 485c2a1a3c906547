#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Each refusal that a command of the family can be given for what it says, by the kernel's own spec-driven client: text and attribute."""
import ctypes
import socket
import sys

from sltest import check, guarded, sl

SPEC = "/usr/share/sluice/sluice.yaml"
sys.path.insert(0, "/usr/lib/ynl")
from lib import NlError, YnlFamily	# noqa: E402

HOUR = 3600 * 10 ** 9
V4 = bytes([127, 0, 0, 1]).hex()
client = None


def does(op, what, **attrs):
	attrs = {k.replace("_", "-"): v for k, v in attrs.items()}
	try:
		client.do(op, attrs)
	except NlError as e:
		check(False, what, e)
		return
	check(True, what)


def refuses(op, text, attr=None, **attrs):
	"""@attr: which one the answer must name."""
	attrs = {k.replace("_", "-"): v for k, v in attrs.items()}
	try:
		client.do(op, attrs)
	except NlError as e:
		said = str(e)
		check(text in said and (not attr or attr in said), "%s: %s" % (op, text), "%s\nwant %r, %r" % (said, text, attr))
		return
	check(False, "%s: %s" % (op, text), "it was not refused")


def addresses(foreign):
	def udp(text, attr=None, **attrs):
		refuses("listener-new", text, attr, **({"name": "x", "addr": V4, "port": 7001} | attrs))

	refuses("listener-new", "give an address and a port", name="x")
	udp("address is 4 or 16 bytes", ".addr", addr="7f0000")
	udp("v6only goes with an IPv6 address", ".v6only", v6only=True)
	udp("no such device", ifindex=99999)
	udp("this framing is for TCP", ".framing", framing="line")
	udp("this is for TCP listeners", ".idle-ns", idle_ns=1)
	udp("it is for TCP", ".handed", handed=True)
	udp("gro is for UDP listeners", ".gro", gro=True, xdp=True)
	udp("needs action group beside it", ".group", group="g")
	udp("cancel is for rules", ".action", action="cancel")
	udp("not the fd of a socket-filter program", classifier_fd=foreign.fileno())
	with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, \
			socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
		refuses("listener-new", "fd is not a UDP socket", name="x", socket_fd=tcp.fileno())
		refuses("listener-new", "bind it first", name="x", socket_fd=s.fileno())
		refuses("listener-new", "another network namespace", name="x", socket_fd=foreign.fileno())
		refuses("listener-new", "not of a socket", ".xdp", name="x", socket_fd=s.fileno(), xdp=True)
		six.bind(("::1", 7006))
		refuses("listener-new", "gro is for UDP listeners", ".gro", name="x", socket_fd=six.fileno(), gro=True)
		does("listener-new", "an IPv6 socket is adopted", name="six", socket_fd=six.fileno())
		refuses("listener-new", "cannot have one port", name="x", addr=V4, port=7006, gro=True)
		got = client.do("listener-get", {"name": "six"})
		check((got["addr"], got["port"]) == ("::1", 7006), "its address is told", got)


def streams():
	def tcp(text, attr=None, **attrs):
		refuses("listener-new", text, attr, **({"name": "x", "transport": "tcp", "addr": V4, "port": 7001} | attrs))

	tcp("where do messages end?")
	tcp("needs the program that cuts the messages", ".framing", framing="bpf")
	tcp("cuts messages with framing bpf only", ".framer-name", framing="line", framer_name="f")
	tcp("it has no connections", ".xdp", framing="line", xdp=True)
	tcp("gro is for UDP listeners", ".gro", framing="line", gro=True)
	tcp("no socket of its own", ".addr", framing="line", handed=True)
	tcp("a length field has 1, 2, 4 or 8 bytes", ".framing", framing="length", frame_width=3)
	does("listener-new", "a port that others may share", name="shared", transport="tcp", framing="line", addr=V4, port=7002, reuseport=True)


def handing():
	served = socket.create_server(("127.0.0.1", 7005))
	pairs = [(socket.create_connection(("127.0.0.1", 7005)), served.accept()[0]) for _ in range(2)]
	with socket.socket() as alone:
		for name, limit in ("few", {"max_conns": 1}), ("narrow", {"max_per_source": 1}):
			does("listener-new", "listener " + name, name=name, transport="tcp", framing="line", handed=True, **limit)
		refuses("conn-new", "it is no listener of TCP", ".listener", listener="l", socket_fd=alone.fileno())
		refuses("conn-new", "is not connected", listener="few", socket_fd=alone.fileno())
		refuses("conn-new", "hand it over with listener add", listener="few", socket_fd=served.fileno())
	does("conn-new", "the first is taken", listener="few", socket_fd=pairs[0][1].fileno())
	refuses("conn-new", "as many connections are open as the listener allows", listener="few", socket_fd=pairs[1][1].fileno())
	client.do("listener-del", {"name": "few"})
	more = [(socket.create_connection(("127.0.0.1", 7005)), served.accept()[0]) for _ in range(2)]
	does("conn-new", "the first of its address is taken", listener="narrow", socket_fd=more[0][1].fileno())
	refuses("conn-new", "the limit of connections from its address", listener="narrow", socket_fd=more[1][1].fileno())
	for pair in pairs + more:
		for s in pair:
			s.close()
	served.close()


def groups():
	refuses("group-new", "key bytes: 1 to 64", name="x", key="bytes", key_offset=511, key_len=64)
	refuses("group-new", "no such uid", ".owner-uid", name="x", owner_uid=0xffffffff)
	refuses("group-new", "no such gid", ".owner-gid", name="x", owner_gid=0xffffffff)
	refuses("group-new", "stall time is over an hour", ".stall-ns", name="x", stall_ns=HOUR + 1)
	refuses("group-new", "hold time is over an hour", ".hold-ns", name="x", hold_ns=HOUR + 1)
	refuses("group-new", "backlog is at most", ".backlog", name="x", backlog=(1 << 24) + 1)


def rules():
	def rule(text, attr=None, **attrs):
		full = {"id": 1, "action": "drop"} | {k.replace("_", "-"): v for k, v in attrs.items()}
		refuses("rules-set", text, attr, listener="l", rule=[{k: v for k, v in full.items() if v is not None}])

	def match(text, **attrs):
		rule(text, match=[{k.replace("_", "-"): v for k, v in attrs.items()}])

	rule("rule has no id", id=None)
	rule("rule has no action", action=None)
	rule("needs the group's name", action="group")
	rule("nobody reads these", action="pass")
	rule("deadline is over an hour", ".deadline", deadline=HOUR + 1)
	rule("the deadline's field has no offset", ".deadline-width", deadline_width=4)
	rule("up to 8 matches", match=[{"kind": "length", "min": 1}] * 9)
	match("match has no kind", min=1)
	match("src match needs an address", kind="src")
	match("src match needs an address", kind="src", addr="7f0000")
	match("need a word", kind="text", offset=0)
	match("words are 1 to 32 bytes", kind="text", offset=0, word=["61", "62"])
	match("width is 1, 2, 4 or 8 bytes", kind="bytes", width=3, value=1)
	match("bytes match needs a value", kind="bytes", width=2)
	one = {"id": 1, "action": "drop"}
	refuses("rules-set", "two rules with this id", listener="l", rule=[one, one])
	many = [{"id": n + 1, "action": "group", "group": "g", "class": "c%d" % n} for n in range(17)]
	refuses("rules-set", "has its 16 classes", listener="l", rule=many)
	check(sl("rule", "show", "l").out.count("drop") == 0, "none of them is there", sl("rule", "show", "l"))


def questions():
	refuses("cancel", "whose requests")
	refuses("cancel", "a peer's port needs its address", ".peer-port", peer_port=1)
	refuses("cancel", "an address has 4 or 16 bytes", ".peer", peer="7f0000")
	does("cancel", "of a connection that is not there: nothing to do", conn=12345)
	refuses("explain", "address is 4 or 16 bytes", ".addr", listener="l", message="00", addr="7f0000")


def main():
	global client
	foreign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	foreign.bind(("127.0.0.1", 0))
	with open("/run/netns/srv") as f:
		if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0x40000000):
			raise OSError(ctypes.get_errno(), "setns")
	client = YnlFamily(SPEC, "")
	does("group-new", "a group", name="g")
	does("listener-new", "a listener", name="l", addr=V4, port=7000)
	addresses(foreign)
	streams()
	handing()
	groups()
	rules()
	questions()
	check(sl("check").status == 0, "ledger closed", sl("check"))
	foreign.close()


guarded(main)
