#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own spec-driven client, knowing nothing but sluice.yaml, drives the family; the policies are as specified."""
import ctypes
import json
import os
import select
import socket
import struct
import sys

import yaml

from sltest import check, consumer, contains, equal, guarded, in_srv, kill, probe, sl

SPEC = "/usr/share/sluice/sluice.yaml"
YNL = "/usr/lib/ynl"
sys.path.insert(0, YNL)
from lib import NlError, YnlFamily	# noqa: E402

client = None


class Encoder(json.JSONEncoder):
	def default(self, o):
		return o.hex() if isinstance(o, bytes) else sorted(o)


def enter(namespace):
	"""This process's own network namespace, for the client's sockets."""
	with open("/run/netns/" + namespace) as f:
		if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), 0x40000000):
			raise OSError(ctypes.get_errno(), "setns")


def ynl(mode, op, attrs=None):
	"""One call of the client: (status, what it returns, as JSON has it; or what it says of a refusal)."""
	global client
	client = client or YnlFamily(SPEC, "")
	try:
		out = client.do(op, attrs or {}) if mode == "--do" else client.dump(op, attrs or {})
	except NlError as e:
		return 1, str(e)
	return 0, json.loads(json.dumps(out, cls=Encoder))


def tool():
	"""The same by its command line."""
	r = in_srv("python3", YNL + "/cli.py", "--spec", SPEC, "--no-schema", "--output-json", "--do", "group-get",
		   "--json", '{"name": "g"}', timeout=300)
	check(r.status == 0 and json.loads(r.out)["name"] == "g", "the tool's command line", r)


def does(op, attrs, what):
	status, out = ynl("--do", op, attrs)
	check(status == 0, what, out)
	return out


def refuses(op, attrs, parts, what):
	status, out = ynl("--do", op, attrs)
	check(status == 1 and all(p in str(out) for p in parts), what, "%s\nwant in it %r" % (out, parts))


def objects():
	does("group-new", {"name": "g", "steering": "rr", "backlog": 99, "hold-ns": 5000000000, "crash": "reissue"}, "group-new")
	g = does("group-get", {"name": "g"}, "group-get")
	equal({k: g[k] for k in ("name", "steering", "backlog", "hold-ns", "crash", "class")},
	      {"name": "g", "steering": "rr", "backlog": 99, "hold-ns": 5000000000, "crash": "reissue", "class": ["default"]},
	      "the group as it was made, enums by name")
	does("group-set", {"name": "g", "window": 8}, "group-set")
	equal(ynl("--dump", "group-get")[1][0]["window"], 8, "group-get as a dump")
	does("listener-new", {"name": "l", "addr": bytes([10, 7, 0, 1]).hex(), "port": 7000, "action": "group", "group": "g",
			      "reject-data": b"busy".hex()}, "listener-new")
	does("listener-new", {"name": "six", "addr": socket.inet_pton(socket.AF_INET6, "fd07::1").hex(), "port": 7006,
			      "v6only": True, "gro": True}, "listener-new over IPv6")
	got = {x["name"]: x for x in ynl("--dump", "listener-get")[1]}
	equal((got["l"]["addr"], got["l"]["port"], got["l"]["action"], got["six"]["addr"], got["six"]["v6only"], got["six"]["gro"]),
	      ("10.7.0.1", 7000, "group", "fd07::1", True, True), "listener-get as a dump, addresses as text")
	does("rules-set", {"listener": "l", "rule": [
		{"id": 1, "match": [{"kind": "text", "offset": 0, "word": [b"drop".hex()]}, {"kind": "length", "min": 4}],
		 "action": "drop"},
		{"id": 2, "order": 3, "match": [{"kind": "token", "offset": 0, "index": 1, "word": [b"a".hex(), b"b".hex()]}],
		 "action": "group", "group": "g", "class": "c", "prio": 0, "deadline": 1000000000,
		 "deadline-offset": 4, "deadline-width": 2, "deadline-unit": "us", "deadline-max": 5000000}]}, "rules-set: nests in nests")
	rules = ynl("--dump", "rules-get", {"listener": "l"})[1]
	equal([m["rule"][0]["id"] for m in rules], [1, 2], "rules-get: a message a rule")
	equal([m["kind"] for m in rules[0]["rule"][0]["match"]], ["text", "length"], "its matches, by name")
	does("listener-set", {"name": "l", "reject-copy": 2}, "listener-set")


def traffic():
	c = consumer("g", "echo")
	equal(probe("hello", 3)[-1], "3 replies", "what it set up serves")
	probe("drop", 2, 200)
	stats = ynl("--dump", "stats-get", {"exact": True})[1]
	l = [s for s in stats if s["object"] == "listener" and s["name"] == "l"][0]
	equal((l["received"], l["outcomes"][0], sum(l["outcomes"]), l["in-flight"]), (5, 3, 5, 0), "stats-get, exact: the ledger")
	hist = ynl("--dump", "hist-get", {"group": "g"})[1]
	equal({h["stage"]: sum(h["buckets"]) for h in hist if h["class"] == "default"}["total"], 3, "hist-get: as many as were served")
	rings = ynl("--dump", "ring-get", {"group": "g"})[1]
	check(len(rings) == 1 and rings[0]["id"] == c.ring and "attached" in rings[0]["state"] and
	      rings[0]["comm"] == "ring_client", "ring-get, states by name", rings)
	e = does("explain", {"listener": "l", "message": b"x b".hex(), "addr": bytes([10, 7, 0, 2]).hex()}, "explain")
	equal((e["rule"]["id"], e["action"], e["group"], e["class"]), (2, "group", "g", "c"), "it names the rule and where it leads")
	does("ring-set", {"id": c.ring, "state": ["draining"]}, "ring-set, a flag by name")
	equal(c.wait(timeout=60), 0, "the drained consumer left")


def next_event(listener):
	while not listener.async_msg_queue:
		if not select.select([listener.sock], [], [], 60)[0]:
			return {"name": "nothing", "msg": {}}
		listener.check_ntf()
	return listener.async_msg_queue.pop(0)


def events():
	listener = YnlFamily(SPEC, "")
	listener.ntf_subscribe("events")
	c = consumer("g", "idle")
	e = next_event(listener)
	equal((e["name"], e["msg"].get("kind"), e["msg"].get("name"), e["msg"].get("ring")), ("event", "ring-attached", "g", c.ring),
	      "event: attached")
	kill(c)
	e = next_event(listener)
	equal((e["msg"].get("kind"), e["msg"].get("ring")), ("ring-detached", c.ring), "event: gone, with nothing unanswered")


def refusals():
	refuses("group-new", {"name": "g"}, ["File exists", "a group of this name exists", ".name"], "refused: text and attribute decoded")
	refuses("group-new", {"name": "bad name"}, ["names are 1 to 31", ".name"], "a name with a blank")
	refuses("group-new", {"name": "x", "max-rings": 257}, [".max-rings", "'max-value': 256"], "the policy's range is told")
	refuses("rules-set", {"listener": "l", "rule": [{"id": 7, "match": [{"kind": "length", "min": 9, "max-len": 2}],
						      "action": "drop"}]}, ["length range is empty", ".rule.match"], "the attribute in its nests")
	refuses("listener-del", {"name": "nix"}, ["No such file", "no such listener", ".name"], "nothing of this name")
	refuses("group-del", {"name": "g"}, ["busy", "in use by"], "a group in use")
	refuses("listener-set", {"name": "l", "port": 7001}, ["cannot change", ".port"], "what cannot change")
	status, out = ynl("--dump", "rules-get", {"listener": "nix"})
	check(status == 1 and "no such listener" in str(out), "a dump that is refused", out)


def removals():
	for op, attrs in (("listener-del", {"name": "l"}), ("listener-del", {"name": "six"}), ("group-del", {"name": "g"})):
		does(op, attrs, "%s %s" % (op, attrs["name"]))
	equal([ynl("--dump", op)[1] for op in ("listener-get", "group-get", "ring-get")], [[], [], []], "nothing is left")


# ---- the policies of the running kernel, as the control family tells them ----

CTRL_GETPOLICY, FAMILY_NAME, FAMILY_ID, ATTR_POLICY, ATTR_OP_POLICY = 10, 2, 1, 8, 9
TYPES = {1: "flag", 3: "u16", 4: "u32", 5: "u64", 10: "binary", 11: "string", 12: "string", 13: "nest"}


def attrs_of(data):
	at = 0
	while at + 4 <= len(data):
		n, kind = struct.unpack_from("HH", data, at)
		yield kind & 0x3fff, data[at + 4:at + n]
		at += (n + 3) & ~3


def number(data):
	return int.from_bytes(data, sys.byteorder)


def kernel_policies():
	"""{policy: {attribute: {type, min, max, len, mask, nest}}}, {command: policy}"""
	s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
	s.settimeout(30)
	name = b"sluice\0"
	payload = struct.pack("BBH", CTRL_GETPOLICY, 1, 0) + struct.pack("HH", 4 + len(name), FAMILY_NAME) + name + b"\0"
	s.send(struct.pack("IHHII", 16 + len(payload), 16, 0x301, 1, 0) + payload)
	policies, ops = {}, {}
	while True:
		data, at = s.recv(1 << 20), 0
		while at + 16 <= len(data):
			n, kind = struct.unpack_from("IH", data, at)
			if kind in (2, 3):
				return policies, ops
			for a, body in attrs_of(data[at + 20:at + n]):
				for index, inner in attrs_of(body):
					if a == ATTR_OP_POLICY:
						for _, v in attrs_of(inner):
							ops[index] = number(v)
					elif a == ATTR_POLICY:
						for attr, v in attrs_of(inner):
							policies.setdefault(index, {})[attr] = {k: number(x) for k, x in attrs_of(v)}
			at += (n + 3) & ~3


def specified(spec, set_name, used):
	"""The same of the specification: {number: what is known of it}."""
	consts = {d["name"]: d for d in spec["definitions"]}
	out = {}
	for n, a in enumerate([x for x in spec["attribute-sets"] if x["name"] == set_name][0]["attributes"], 1):
		if a["name"] not in used:
			continue
		checks = {k: consts[v]["value"] if v in consts and "value" in consts[v] else v
			  for k, v in a.get("checks", {}).items()}
		out[n] = (a, checks, consts)
	return out


def compare(got, want, where, policies, spec, seen):
	equal(sorted(got), sorted(want), "%s: the kernel takes the attributes that the specification has" % where)
	for n, (a, checks, consts) in want.items():
		k = got.get(n, {})
		wrong = []
		if TYPES.get(k.get(1)) != a["type"]:
			wrong.append("type %s" % k.get(1))
		low, high = k.get(4), k.get(5)
		limits = {"min": low, "max": high, "max-len": k.get(7)}
		for name, value in limits.items():
			if name in checks and value != checks[name]:
				wrong.append("%s is %s, specified %s" % (name, value, checks[name]))
		if "enum" in a and consts[a["enum"]]["type"] == "enum" and high != len(consts[a["enum"]]["entries"]) - 1:
			wrong.append("max is %s, the enum has %d" % (high, len(consts[a["enum"]]["entries"])))
		if a["type"] in ("u32", "u16") and "enum" not in a and "max" not in checks and high not in (None, 2 ** 32 - 1):
			if not (a["type"] == "u16" and high == 65535):
				wrong.append("max %s is not specified" % high)
		if "flags-mask" in checks:
			mask = sum(1 << (e["value"] if isinstance(e, dict) else i)
				   for i, e in enumerate(consts[checks["flags-mask"]]["entries"]))
			if k.get(12) != mask:
				wrong.append("mask is %s, specified %s" % (k.get(12), mask))
		check(not wrong, "%s %s: type and limits" % (where, a["name"]), "; ".join(wrong) + "\n%s" % k)
		if a["type"] == "nest" and 8 in k and a["nested-attributes"] not in seen:
			inner = a["nested-attributes"]
			seen.add(inner)
			every = {x["name"] for s in spec["attribute-sets"] if s["name"] == inner for x in s["attributes"]
				 if x["type"] != "pad"}
			compare(policies[k[8]], specified(spec, inner, every), inner, policies, spec, seen)


def same_policies():
	with open(SPEC) as f:
		spec = yaml.safe_load(f)
	policies, ops = kernel_policies()
	used, policy_of = {}, {}
	for op in spec["operations"]["list"]:
		if "event" in op:
			continue
		for mode in "do", "dump":
			wanted = op.get(mode, {}).get("request", {}).get("attributes", [])
			used.setdefault(op["attribute-set"], set()).update(wanted)
		policy_of[op["attribute-set"]] = ops.get(op["value"])
	equal(sorted(ops), sorted(op["value"] for op in spec["operations"]["list"] if "event" not in op), "the kernel has the commands")
	seen = set()
	for name, attrs in used.items():
		compare(policies.get(policy_of[name], {}), specified(spec, name, attrs), name, policies, spec, seen)


def main():
	enter("srv")
	objects()
	tool()
	traffic()
	events()
	refusals()
	check(sl("check").status == 0, "ledger closed", sl("check"))
	removals()
	same_policies()
	contains(os.listdir(YNL), ["cli.py", "lib"], "it was the kernel's own tool")


guarded(main)
