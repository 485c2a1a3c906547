#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""sluice apply and show: a file becomes what runs, as a whole or not at all; what is shown is a file that makes it."""
from sltest import check, consumer, contains, equal, guarded, in_srv, kill, probe, sl, slj, start

CONF = """
# two groups, two listeners
group echo steer rr backlog 64 no-consumer hold 500ms
group kv steer hash key token 8 1 crash reissue
listener front udp 10.7.0.1:7000 default reject reject-reply "too busy" copy 0 {
	rule 10 text 0 "get " group kv class get prio 0
	rule 20 order 1 \\
		length 1-64 group echo deadline 1s
}
listener six udp [::]:7006 v6only gro default drop
rule six 5 src fd07::/64 group echo
"""


def apply(text, *more):
	return sl("apply", "-", *more, stdin=text)


def applies(text, out, what, *more):
	r = apply(text, *more)
	check(r.status == 0 and r.out == out, what, "%s\nwant %r" % (r, out))


def round_trip(text, what):
	"""What show prints, applied, is no change; and from nothing it makes the same again."""
	before, js = sl("show").out, sl("-j", "show").out
	applies(before, "nothing to change\n", what + ": show is a file without a change")
	r = sl("apply", "-", stdin=js)
	check(r.status == 0 and r.out == "nothing to change\n", what + ": so is show -j", r)
	for form in before, js:
		apply("# nothing\n", "prune")
		equal(sl("show").out, "", what + ": prune leaves nothing")
		r = apply(form)
		check(r.status == 0, what + ": applied to nothing", r)
		equal(sl("show").out, before, what + ": the same again")


def basics():
	applies(CONF, "add group echo\nadd group kv\nadd listener front\nadd rules front\nadd listener six\nadd rules six\n"
		"6 changes, none made: dry-run\n", "dry-run says what it would do", "dry-run")
	equal(sl("show").out, "", "and does nothing")
	applies(CONF, "add group echo\nadd group kv\nadd listener front\nadd rules front\nadd listener six\nadd rules six\n",
		"apply")
	applies(CONF, "nothing to change\n", "apply again")
	contains(sl("show").out, ["group echo steer rr", 'reject-reply "too busy"', "\trule 10 text 0 \"get \" group kv class get prio 0\n",
				  "listener six udp [::]:7006 v6only gro default drop {\n"], "show")
	round_trip(CONF, "round trip")
	applies(CONF.replace("length 1-64", "length 1-65").replace("backlog 64", "backlog 65"),
		"change group echo\nchange rules front\n", "only what differs is changed")
	js = slj("apply", "/dev/null", "prune", "dry-run")
	equal((js["dry_run"], sorted((c["op"], c["kind"], c["name"]) for c in js["changes"])),
	      (True, [("remove", "group", "echo"), ("remove", "group", "kv"), ("remove", "listener", "front"),
		      ("remove", "listener", "six")]), "-j says the same by fields")
	r = apply("group other\n")
	check(r.status == 0 and "listener front" in sl("show").out, "without prune the rest stays", r)
	applies(CONF.replace("10.7.0.1:7000", "10.7.0.1:7777"),
		"change group echo\nreplace listener front\nadd listener front\nadd rules front\n", "a listener moves to another port")


def counters():
	"""Rules that keep their number keep what they counted, whatever the file says of others."""
	apply(CONF, "prune")
	c = consumer("kv", "echo")
	equal(probe("get x", 3)[-1], "3 replies", "traffic")
	hits = [r["hits"] for r in slj("rule show front 10")[0]["rules"]]
	apply(CONF.replace("length 1-64", "length 1-99"))
	equal([r["hits"] for r in slj("rule show front 10")[0]["rules"]], hits, "a rule keeps its hits")
	equal(hits, [3], "which were right")
	r = apply("# nothing\n", "prune")
	check(r.status == 1 and "group kv" in r.err and "in use" in r.err and "Everything is as it was" in r.err,
	      "a group that is served is not pruned, and nothing else is either", r)
	kill(c)


def rollback():
	"""Refused in the middle: everything is as it was, and the text says which step and why."""
	apply("group a window 7\ngroup b\nlistener keep udp *:7100 default group a {\n\trule 1 text 0 x group b\n}\n"
	      "listener gone udp *:7101 default drop {\n\trule 7 length 3 reject\n}\n", "prune")
	before, generation = sl("show").out, slj("listener show keep")[0]["rules"]
	start("ip", "netns", "exec", "srv", "python3", "-c",
	      "import socket, sys, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('0.0.0.0', 7199)); "
	      "print('bound', flush=True); sys.stdin.read()", stdin=-1).stdout.readline()
	r = apply("group a window 9\ngroup b steer rr\ngroup new\n"
		  "listener keep udp *:7100 default group new {\n\trule 1 text 0 y group new\n\trule 2 drop\n}\n"
		  "listener busy udp *:7199 default group new\n", "prune")
	check(r.status == 1, "an address in use fails the whole", r)
	contains(r.err, ["listener busy", "ss -lunp", "Everything is as it was before"], "it says which step, why, and that all was undone")
	equal(sl("show").out, before, "everything is as it was")
	equal(slj("listener show keep")[0]["rules"], generation, "the rules too")
	r = apply("group a\nlistener keep udp *:7100 default group a {\n\trule 1 bytes 600/4 = 1 drop\n}\n")
	check(r.status == 1 and "rules keep" in r.err and "attribute rule 1" in r.err, "a rule that the kernel refuses", r)
	equal(sl("show").out, before, "everything is as it was")
	check(sl("check").status == 0, "ledger closed", sl("check"))


def many():
	rules = "".join("\trule %d token 0 1 = key%d drop\n" % (i, i) for i in range(1, 2001))
	r = apply("group a\nlistener big udp *:7200 default group a {\n%s}\n" % rules)
	check(r.status == 0, "2000 rules", r)
	equal(len(slj("rule show big")[0]["rules"]), 2000, "all are there")
	r = in_srv("sluice", "-j", "show")
	equal([len(x["rules"]) for x in r.json()["listeners"] if x["name"] == "big"], [2000], "and in show -j")


def main():
	basics()
	counters()
	rollback()
	many()


guarded(main)
