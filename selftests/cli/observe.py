#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""sluice stats, check, explain, top, monitor: what they say is what happened, as text and as JSON."""
import json
import signal

from sltest import check, consumer, contains, equal, guarded, in_srv, kill, probe, sl, slj, start, until

KINDS = ("answered", "done", "rejected", "dropped", "passed", "cancelled", "expired")


def one(objects, **want):
	found = [o for o in objects if all(o.get(k) == v for k, v in want.items())]
	return found[0] if len(found) == 1 else {}


def stats():
	js = slj("stats")
	objects = js["objects"]
	l = one(objects, object="listener", name="l")
	equal((l["received"], l["outcomes"]["answered"], l["outcomes"]["dropped_rule"], l["in_flight"]), (8, 5, 3, 0),
	      "stats -j: the listener")
	equal(one(objects, object="rule", parent="l", id=1)["received"], 3, "its rule, by parent and id")
	equal(one(objects, object="rule", parent="l", id=1)["outcomes"]["dropped"], 3, "rules count by kind")
	g = one(objects, object="group", name="g")
	equal((g["received"], g["outcomes"]["answered"]), (5, 5), "the group")
	equal(one(objects, object="class", parent="g", name="default")["received"], 5, "its class")
	check(all(sorted(o["outcomes"]) == sorted(KINDS) for o in objects if o["object"] == "rule"), "every kind has its key", objects)
	check(all(len(o["outcomes"]) == len(l["outcomes"]) and "retired" in o and "in_flight" in o
		  for o in objects if o["object"] != "rule"), "every object has the same keys", objects)
	lat = {(h["class"], h["stage"]): h for h in js["latency"] if h["group"] == "g"}
	equal(sorted(s for c, s in lat if c == "default"), ["pickup", "send", "service", "total", "wait"], "latency: the stages")
	t = lat["default", "total"]
	check(t["count"] == 5 and 0 < t["p50_ns"] <= t["p90_ns"] <= t["p99_ns"] <= t["p999_ns"] <= t["max_ns"],
	      "percentiles ascend", t)
	equal([o["object"] for o in slj("stats listener")["objects"]], ["listener"], "one kind of object only")
	equal({o["parent"] for o in slj("stats rule l")["objects"]}, {"l"}, "and one name")
	contains(sl("stats").out, ["OBJECT ", "listener l ", "rule l/1 ", "rule l/default ", "group g ", "class g/default ",
				   "dropped_rule", "LATENCY", "g/default total"], "stats as text")
	r = sl("stats group nix")
	check(r.status == 1 and 'see "sluice stats"' in r.err, "a name that nothing has", r)


def checks():
	js = slj("check")
	equal((js["closed"], js["failures"]), (True, []), "check -j")
	check(js["objects"] >= 5 and js["equations"] > js["objects"], "it looked at all objects", js)
	r = sl("check")
	check(r.status == 0 and r.out.startswith("closed: ") and "0 do not hold" in r.out, "check as text", r)
	for words in "check quiet", "-q check", "check -q":
		r = sl(words)
		equal((r.status, r.out, r.err), (0, "", ""), words)
	r = in_srv("unshare", "--net", "sluice", "-j", "check")
	equal((r.status, r.json()["closed"]), (0, True), "an empty namespace is closed")


def explain():
	sl("group add k steer hash key token 0 1")
	sl("rule add l 5 order 1 token 0 0 = get,gets text 0 get group k class c prio 0")
	c = consumer("k", "idle")
	r = sl("explain", "l", "get key7")
	contains(r.out, ["listener l, rules of generation", "taken by\n", "rule 5 ", 'holds: bytes 0 to 2 are "get"',
			 "action group k class c", "hash of the key 0x", "ring %d" % c.ring], "explain: rule, matches, key, ring")
	js = slj("explain", "l", "text:get key7")
	equal((js["rule"]["id"], js["action"], js["group"], js["class"], js["ring"]), (5, "group", "k", "c", c.ring), "explain -j")
	equal([(m["holds"], m.get("bytes")) for m in js["matches"]], [(True, "get"), (True, "get")], "each match with its bytes")
	equal(slj("explain", "l", "hex:" + b"get key7".hex())["hash"], js["hash"], "the same bytes in hex: the same key")
	check(slj("explain", "l", "get key8")["hash"] != js["hash"], "another key: another hash", js)
	js = slj("explain", "l", "nothing", "all")
	equal((js.get("rule"), js["action"]), (None, "group"), "no rule: the default")
	equal([p["id"] for p in js["passed_over"]], [1, 5], "all: the rules passed over, in order")
	equal([[m["holds"] for m in p["matches"]] for p in js["passed_over"]], [[False], [False, False]], "and which match failed")
	contains(sl("explain", "l", "nothing", "all").out,
		 ["taken by no rule", "not taken by, in this order", "does not hold: bytes"], "as text")
	sl("rule add l 6 src 10.9.0.0/16 drop")
	equal([slj("explain", "l", "m", "from", a)["action"] for a in ("10.9.1.1", "10.8.1.1", "10.9.1.1:53")],
	      ["drop", "group", "drop"], "from: the sender's address counts")
	in_srv("sh", "-c", "printf 'get key7' >/tmp/message")
	equal(slj("explain", "l", "file:/tmp/message")["rule"]["id"], 5, "a message from a file")
	r = sl("explain", "l", "file:/nonexistent")
	check(r.status == 1 and "cannot read /nonexistent" in r.err, "no such file", r)
	r = sl("explain", "nix", "m")
	check(r.status == 1 and "no such listener" in r.err, "no such listener", r)
	before = slj("stats rule l")
	sl("explain", "l", "get key7")
	equal(slj("stats rule l"), before, "to explain counts nothing")
	kill(c)


def top():
	r = sl("top interval 10ms count 2")
	check(r.status == 0 and r.out.count("PER SECOND") == 2 and "\033" not in r.out, "top into a pipe: plain, two rounds", r)
	contains(r.out, ["listener l ", "group g "], "its objects")
	r = sl("top -n 1 -b -d 10ms")
	check(r.status == 0 and r.out.count("PER SECOND") == 1, "top -n 1 -b -d: as other tops take them", r)
	rounds = [json.loads(x) for x in sl("-j top interval 10ms count 2").out.splitlines()]
	equal(len(rounds), 2, "-j: a line for each round")
	l = one(rounds[0]["objects"], object="listener", name="l")
	check(rounds[0]["elapsed_ns"] >= 10000000 and l["received_per_s"] == 0 and sorted(l["outcomes_per_s"]) == sorted(KINDS),
	      "its fields", rounds[0])
	p = start("ip", "netns", "exec", "srv", "sluice", "-j", "top", "interval", "200ms")
	p.stdout.readline()
	probe("x", 20)
	seen = until(20, lambda: one(json.loads(p.stdout.readline())["objects"], object="listener", name="l")["received_per_s"] > 0)
	check(seen, "traffic shows as a rate")
	p.send_signal(signal.SIGTERM)
	p.stdout.read()
	equal(p.wait(), 0, "ended by a signal: status 0")


def subscribers():
	"""How many generic netlink sockets of the namespace are members of a multicast group."""
	lines = in_srv("cat", "/proc/net/netlink").out.splitlines()[1:]
	return sum(1 for f in map(str.split, lines) if f[1] == "16" and int(f[3], 16))


def monitor():
	mon = start("ip", "netns", "exec", "srv", "sluice", "-j", "monitor")
	text = start("ip", "netns", "exec", "srv", "sluice", "monitor", "count", "2")
	text.stdout.readline()
	check(until(20, lambda: subscribers() == 2), "both have subscribed", in_srv("cat", "/proc/net/netlink"))
	c = consumer("g", "hold")

	def event():
		return json.loads(mon.stdout.readline())

	e = event()
	equal((e["kind"], e["name"], e["ring"], e["comm"]), ("ring-attached", "g", c.ring, "ring_client"), "monitor -j: attached")
	check(e["time_ns"] > 10 ** 18 and e["pid"] > 0, "with time and process", e)
	probe("x", 4, 300)
	check(until(20, lambda: one(slj("ring show"), id=c.ring).get("used") == 4), "four requests taken and kept", sl("ring show"))
	kill(c)
	e = event()
	equal((e["kind"], e["name"], e["ring"], e.get("count")), ("ring-died", "g", c.ring, 4), "monitor -j: died with four requests")
	lines = text.stdout.read().splitlines()
	equal(text.wait(), 0, "count 2: it ends after two")
	check(len(lines) == 2 and "ring-attached group g ring %d pid" % c.ring in lines[0] and
	      "ring-died group g ring %d" % c.ring in lines[1] and "requests 4" in lines[1], "as text", lines)
	c = consumer("g", "echo")
	equal(event()["kind"], "ring-attached", "attached again")
	c.send_signal(signal.SIGTERM)
	c.wait()
	e = event()
	equal((e["kind"], e["ring"]), ("ring-detached", c.ring), "monitor -j: left in an orderly way")
	mon.send_signal(signal.SIGINT)
	equal((mon.stdout.read(), mon.wait()), ("", 0), "ended by a signal: status 0")


def main():
	sl("group add g steer rr window 64 target 1h")
	sl("listener add l udp *:7000 default group g")
	sl("rule add l 1 text 0 drop drop")
	c = consumer("g", "echo")
	equal(probe("hello", 5)[-1], "5 replies", "traffic")
	probe("drop", 3, 200)
	stats()
	checks()
	explain()
	top()
	c.send_signal(signal.SIGTERM)
	c.wait()
	monitor()
	check(sl("check").status == 0, "ledger closed", sl("check"))


guarded(main)
