#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""sluice listener, group, rule, ring: what is set is shown, as text and as JSON; refusals name the attribute and the remedy."""
import re

from sltest import as_nobody, check, consumer, contains, equal, guarded, kill, probe, run, sl, slj, start, until


def done_by(words, what=None):
	"""A command that must work, silently."""
	r = sl(words) if isinstance(words, str) else sl(*words)
	return check(r.status == 0 and not r.out and not r.err, what or "sluice %s" % (words,), r)


def refused(words, parts, status=1):
	"""A command that the kernel must refuse, with these words in the complaint."""
	r = sl(words)
	check(r.status == status and not r.out and r.err.startswith("sluice: ") and all(p in r.err for p in parts),
	      "refused: sluice %s" % words, "%s\nwant in it %r" % (r, parts))


def only(items, **want):
	"""The one item of a list whose fields are as wanted."""
	found = [i for i in items or [] if all(i.get(k) == v for k, v in want.items())]
	return found[0] if len(found) == 1 else {}


def fields(got, want, what):
	equal({k: got.get(k) for k in want}, want, what)


def groups():
	done_by("group add g steer hash key token 8 1 : window 32 backlog 100 backlog-bytes 1M no-consumer hold 2s "
		"crash reissue owner 0:65534 max-rings 4")
	want = {"name": "g", "steering": "hash", "key": "token", "key_offset": 8, "key_index": 1, "key_delim": ":",
		"window": 32, "backlog": 100, "backlog_bytes": 1 << 20, "no_consumer": "hold", "hold_ns": 2000000000,
		"crash": "reissue", "owner_uid": 0, "owner_gid": 65534, "max_rings": 4, "rings": 0, "waiting": 0,
		"waiting_bytes": 0, "class": ["default"]}
	fields(only(slj("group show"), name="g"), want, "group show -j has what was set")
	fields(only(slj("group show g"), name="g"), want, "and of one group")
	contains(sl("group show g").out, ["group g steer hash key token 8 1 : window 32 backlog 100 backlog-bytes 1MiB "
					  "no-consumer hold 2s crash reissue owner 0:65534 max-rings 4"],
		 "as text: the words that make it")
	done_by("group set g steer fifo window 0 crash reject")
	want.update(steering="fifo", window=0, crash="reject")
	fields(only(slj("group show"), name="g"), want, "set changes what is given and keeps the rest")
	done_by("group add plain")
	fields(only(slj("group show"), name="plain"),
	       {"steering": "hash", "key": "flow", "window": 0, "backlog": 4096, "backlog_bytes": 16 << 20, "no_consumer": "hold",
		"hold_ns": 1000000000, "crash": "requeue", "owner_uid": 0, "max_rings": 64}, "defaults are those of the help")
	refused("group add g", ["group-new", "a group of this name exists", "(attribute name)", "change the existing one"])
	refused("group set nix window 1", ["no such group", "(attribute name)", 'with "show"'])
	refused("group del nix", ["no such group", "(attribute name)"])
	refused("group show nix", ["no such group", "(attribute name)"])
	refused("group add k key bytes 600 4", ["attribute key-offset"])
	refused("group add k key bytes 4 65", ["attribute key-len"])
	refused("group set g class ghost cap 2 target 2h", ["at most an hour"])
	equal(only(slj("group show"), name="g")["class"], ["default"], "a refused policy of a class leaves no class")
	equal(only(slj("group show"), name="k"), {}, "a refused group is not there")


def listeners():
	done_by("listener add l udp 10.7.0.1:7000 default group g reject-reply text:no\\x00go copy 2")
	done_by("listener add six udp [fd07::1]:7000 dev s0 v6only default drop")
	done_by("listener add any udp *:7001 gro")
	l = only(slj("listener show"), name="l")
	fields(l, {"transport": "udp", "framing": "datagram", "addr": "10.7.0.1", "port": 7000, "action": "group", "group": "g",
		   "reject_data": "no\\x00go", "reject_copy": 2, "rules": 0}, "listener show -j has what was set")
	fields(only(slj("listener show six"), name="six"),
	       {"addr": "fd07::1", "port": 7000, "dev": "s0", "v6only": True, "action": "drop"}, "IPv6, device, v6only")
	fields(only(slj("listener show"), name="any"), {"addr": "0.0.0.0", "port": 7001, "action": "reject", "gro": True},
	       "* is any address; the default is reject")
	contains(sl("listener show").out,
		 ['listener l udp 10.7.0.1:7000 default group g reject-reply "no\\x00go" copy 2\n',
		  "listener six udp [fd07::1]:7000 dev s0 v6only default drop\n"], "as text: the words that make it")
	done_by("listener set l default reject")
	fields(only(slj("listener show"), name="l"), {"action": "reject", "reject_data": "no\\x00go"}, "set keeps the rest")
	done_by(("listener", "set", "l", "default", "group", "g", "reject-reply", "", "copy", "0"), "an empty reply takes it away")
	check("reject_data" not in only(slj("listener show"), name="l"), "it is gone", slj("listener show"))
	refused("listener add l udp *:7002", ["a listener of this name exists", "(attribute name)"])
	refused("listener add m udp 10.7.0.1:7000", ["listener-new", "ss -lunp"])
	refused("listener add m udp 192.0.2.7:7000", ["not one of this namespace", "ip address"])
	refused("listener add m udp *:7002 default group nix", ["no such group", "(attribute group)"])
	refused("listener add m udp *:7002 default pass", ["(attribute action)"])
	refused("listener add m udp *:7002 reject-reply ab copy 3", ["shorter than the bytes to copy"])
	refused("listener add m udp fd 77", ["fd"])
	refused("listener set nix default drop", ["no such listener", "(attribute name)"])
	refused("listener del nix", ["no such listener", "(attribute name)"])
	refused("listener show nix", ["no such listener", "(attribute name)"])
	refused("group del g", ["in use by a rule", "remove what refers to it first"])
	done_by("listener del six")
	equal(only(slj("listener show"), name="six"), {}, "a removed listener is gone")


def rules():
	done_by("rule add l 10 length 1-100 token 0 1 = get,gets group g class hot prio 0 deadline 5ms")
	done_by("rule add l 20 order 5 src 10.7.0.0/24 drop")
	done_by("rule add l 30 bytes 0/2 mask 0xff00 = 0x4100 text 2 bcd reject")
	shown = slj("rule show l")
	equal(len(shown), 1, "rule show -j: one listener")
	equal((shown[0]["listener"], [r["id"] for r in shown[0]["rules"]]), ("l", [10, 20, 30]), "its rules, as they were added")
	r = only(shown[0]["rules"], id=10)
	fields(r, {"action": "group", "group": "g", "class": "hot", "prio": 0, "deadline": 5000000, "hits": 0}, "a rule's fields")
	equal([m["kind"] for m in r["match"]], ["length", "token"], "its matches")
	fields(r["match"][1], {"offset": 0, "index": 1, "word": ["get", "gets"]}, "a token match")
	fields(only(shown[0]["rules"], id=30)["match"][0], {"kind": "bytes", "offset": 0, "width": 2, "mask": "0xff00",
							    "value": "0x4100"}, "a bytes match")
	text = sl("rule show l 10").out
	contains(text, 'rule 10 length 1-100 token 0 1 space = "get,gets" group g class hot prio 0 deadline 5ms\t# hits 0\n',
		 "as text: the words that make it")
	generation = shown[0]["generation"]
	done_by("rule set l 20 order 1 src 10.7.0.2/32 reject")
	shown = slj("rule show l 20")
	fields(shown[0]["rules"][0], {"order": 1, "action": "reject"}, "set replaces a rule")
	equal(shown[0]["generation"], generation + 1, "the generation counts each change")
	refused("rule add l 10 drop", ["has a rule 10", "sluice rule set"])
	refused("rule set l 99 drop", ["has no rule 99", "sluice rule add"])
	refused("rule del l 99", ["has no rule 99", "sluice rule show l"])
	refused("rule show l 99", ["has no rule 99"])
	refused("rule add nix 1 drop", ["no such listener"])
	refused("rule add l 1 group nix", ["no such group", "attribute rule 1"])
	refused("rule add l 1 pass", ["attribute rule 1"])
	refused("rule add l 1 bytes 600/4 = 1 drop", ["integer out of range", "attribute rule 1 match 1 offset"])
	refused("rule add l 1 length 9-2 drop", ["length range is empty", "attribute rule 1 match 1)"])
	refused("rule add l 1 text 0 ab bytes 4/2 mask 0x0f = 0x10 drop", ["bits outside the mask", "attribute rule 1 match 2)"])
	refused("rule add l 1 src 10.0.0.1/8 drop", ["clear them", "attribute rule 1 match 1)"])
	classes = only(slj("group show"), name="g")["class"]
	refused("rule add l 1 length 9-2 group g class ghost", ["length range is empty"])
	refused("rule add l 10 group g class ghost", ["has a rule 10"])
	equal((slj("rule show l")[0]["generation"], only(slj("group show"), name="g")["class"]), (generation + 1, classes),
	      "what is refused changes nothing, and leaves no class")
	done_by("rule add l 40 order 9 group g class ghost")
	equal(only(slj("group show"), name="g")["class"], classes + ["ghost"], "what is not refused does")
	done_by("rule del l 40")
	done_by("rule del l 20 30")
	equal([r["id"] for r in slj("rule show l")[0]["rules"]], [10], "del removes several")
	done_by("rule flush l")
	equal(slj("rule show l")[0]["rules"], [], "flush removes all")
	equal(sorted(x["listener"] for x in slj("rule show")), ["any", "l"], "rule show without a name: all listeners")
	done_by("rule add l 11 order 9 group g deadline 1s deadline-field 4/2 little us max 10ms")
	contains(sl("rule show l 11").out, " deadline 1s deadline-field 4/2 little us max 10ms",
		 "a deadline's field is shown as it was given")
	done_by("rule set l 11 group g deadline-field 8/4")
	contains(sl("rule show l 11").out, " deadline-field 8/4 ms", "its defaults")
	refused("rule set l 11 group g deadline-field 508/8", "beyond the first 512 bytes")
	refused("rule set l 11 group g deadline-field 0/3", "1, 2, 4 or 8 bytes")
	done_by("rule set l 11 group g request-id 2/16 once")
	contains(sl("rule show l 11").out, " group g request-id 2/16 once", "where a request's id is")
	done_by("rule set l 11 text 0 c cancel request-id 4/16")
	contains(sl("rule show l 11").out, ' text 0 "c" cancel request-id 4/16', "a rule that cancels")
	refused("rule set l 11 cancel", "needs the place of the id")
	refused("rule set l 11 group g once", "once needs the request's id")
	refused("rule set l 11 drop request-id 0/4", "needs action group or cancel")
	refused("rule set l 11 group g request-id 0/33", "(attribute rule 11 request-id-len)")
	refused("rule set l 11 group g request-id 500/16", "beyond the first 512 bytes")
	refused("listener set l default cancel", "cancel is for rules")
	done_by("rule del l 11")


def rings():
	c = consumer("g", "echo")
	shown = slj("ring show")
	r = only(shown, id=c.ring)
	fields(r, {"group": "g", "comm": "ring_client", "slots": 256, "used": 0, "waiting": 0, "bad_responses": 0}, "ring show -j")
	check("attached" in r.get("state", []) and r.get("memory", 0) > 0 and r.get("pid", 0) > 0 and r.get("tx"),
	      "its state, memory, process and mode", r)
	contains(sl("ring show group g").out, ["ring %d group g state attached" % c.ring, "(ring_client)"], "as text")
	equal(slj("ring show group plain"), [], "rings of another group: none")
	refused("group del g", ["in use"])
	done_by("ring set %d drain on" % c.ring)
	check(until(20, lambda: not only(slj("ring show"), id=c.ring)), "a drained ring's consumer leaves", sl("ring show"))
	c.wait()
	c = consumer("g", "idle")
	done_by("ring set %d drain on" % c.ring)
	check("draining" in only(slj("ring show"), id=c.ring).get("state", []), "drain on shows", sl("ring show"))
	done_by("ring set %d drain off" % c.ring)
	check("draining" not in only(slj("ring show"), id=c.ring).get("state", []), "drain off takes it back", sl("ring show"))
	contains(sl("ring drain %d" % c.ring).out, ["ring %d drained" % c.ring], "draining one that has nothing is done at once")
	done_by("ring del %d" % c.ring)
	check(until(20, lambda: not only(slj("ring show"), id=c.ring) or
		    "gone" in only(slj("ring show"), id=c.ring)["state"]), "del detaches it", sl("ring show"))
	refused("ring del 9999", ["no such ring", "(attribute id)"])
	refused("ring set 9999 drain on", ["no such ring", "(attribute id)"])
	refused("ring drain 9999", ["no such ring", "(attribute id)"])
	kill(c)


def draining():
	"""What an operator sees who drains a ring with requests in it."""
	c = consumer("g", "hold")
	done_by("listener set l default group g")
	probe("abc", 3, 100, replies=1)
	check(until(20, lambda: only(slj("ring show"), id=c.ring).get("used") == 3), "it has three", sl("ring show"))
	out = sl("ring drain %d timeout 1200ms" % c.ring)
	equal(out.status, 1, "the timeout ends the waiting")
	equal(len(re.findall("ring %d draining: 3 unanswered, the oldest for " % c.ring, out.out)), 2, "progress is said each second")
	contains(out.err, ["3 unanswered requests left", "sluice ring set %d drain off" % c.ring], "and what can be done")
	p = start("ip", "netns", "exec", "srv", "sluice", "ring", "drain", str(c.ring))
	line = p.stdout.readline()
	check("3 unanswered" in line, "waiting again", line)
	kill(c)
	equal(p.wait(timeout=60), 0, "it ends with the ring")
	contains(p.stdout.read(), ["its consumer has left it"], "and says so")


def completion():
	"""What the shell offers includes what exists."""
	sl("rule add l 7 drop")
	c = consumer("g", "idle")
	for words, want in (("listener del", ["l", "any"]), ("rule add", ["l", "any"]), ("rule del l", ["7"]), ("group set", ["g", "plain"]),
			    ("rule add l 9 group", ["g", "plain"]), ("ring set", [str(c.ring)]), ("stats group", ["g", "plain"]),
			    ("listener add x udp *:9 default group", ["g", "plain"]), ("listener add", [])):
		equal(sorted(sl("__complete " + words).out.split()), sorted(want), "completion behind: %s" % words)
	kill(c)
	sl("rule flush l")


def unprivileged():
	"""Reading needs no privilege; changing does, and says so."""
	for words in "listener show", "group show", "rule show", "ring show", "stats", "show":
		r = as_nobody(words)
		check(r.status == 0, "as nobody: sluice %s" % words, r)
	for words in ("listener add x udp *:9", "listener del l", "group add x", "group set g window 1", "rule add l 1 drop",
		      "ring del 1", "explain l m"):
		r = as_nobody(words)
		check(r.status == 1 and "CAP_NET_ADMIN" in r.err, "as nobody refused: sluice %s" % words, r)
	r = as_nobody("check")
	check(r.status == 2 and "CAP_NET_ADMIN" in r.err, "as nobody: check says that it could not look", r)


ADOPT = """
import os, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
def sluice(*words, fd=None):
	r = subprocess.run(("sluice",) + words, pass_fds=() if fd is None else (fd,), capture_output=True, text=True)
	print(r.returncode, r.stderr.strip())
sluice("group", "add", "mine")
sluice("listener", "add", "h", "tcp", "handed", "framing", "line", "default", "group", "mine")
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("127.0.0.1", 7000))
sluice("listener", "add", "u", "udp", "fd", str(u.fileno()), fd=u.fileno())
t = socket.create_server(("127.0.0.1", 7000))
c = socket.create_connection(("127.0.0.1", 7000))
sluice("conn", "adopt", "h", "fd", str(c.fileno()), fd=c.fileno())
sluice("listener", "add", "t", "tcp", "fd", str(t.fileno()), "framing", "line", fd=t.fileno())
"""


def adopting():
	"""Who adopts a socket could stop the machine's configuration: it takes more than root of a user namespace."""
	r = run("unshare", "--net", "python3", "-c", ADOPT)
	equal(r.out.split(), ["0"] * 5, "root adopts sockets of each kind")
	lines = run("unshare", "--user", "--map-root-user", "--net", "python3", "-c", ADOPT).out.splitlines()
	equal(lines[:2], ["0 ", "0 "], "root of a user namespace configures what is its own")
	check(len(lines) == 5 and all(x.startswith("1 ") and "in the initial user namespace" in x for x in lines[2:]),
	      "but adopts none", lines)


def namespaces():
	equal(run("sluice", "-j", "listener", "show").json(), [], "another namespace has nothing of this one")


def main():
	groups()
	listeners()
	rules()
	rings()
	draining()
	completion()
	unprivileged()
	adopting()
	namespaces()
	done_by("listener del l")
	done_by("listener del any")
	done_by("group del g")
	done_by("group del plain")
	equal((sl("show").out, slj("show")), ("", {"groups": [], "listeners": []}), "all is gone")


guarded(main)
