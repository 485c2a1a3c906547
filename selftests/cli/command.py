#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The command line as such, with or without the module: help, usage errors, exit status, -d, completion."""
import os
import re

from sltest import check, contains, done, equal, run, skip

COMPLETION = [p for p in (os.path.dirname(os.path.abspath(__file__)) + "/../../user/completion/sluice.bash",
			  "/usr/share/bash-completion/completions/sluice") if os.path.exists(p)]

# What is typed, and what the complaint must say.
WRONG = (
	("", "no command was given"),
	("--foo", 'unknown option "--foo"'),
	("-x show", 'unknown option "-x"'),
	("-jx show", 'unknown option "-jx"'),
	("frobnicate", "known: listener, group"),
	("s", "may be any of show, stats"),
	("-q stats", "-q goes with check only"),
	("listener frob", "known: add, set"),
	("listener add", "must be followed by a listener"),
	("listener add bad/name udp 1.2.3.4:5", "1 to 31 letters"),
	("listener add a23456789012345678901234567890123 udp 1.2.3.4:5", "1 to 31 letters"),
	("listener add l sctp 1.2.3.4:5", "is no transport; known: udp"),
	("listener add l udp 1.2.3.4", "192.0.2.1:53"),
	("listener add l udp 1.2.3.4:0", "192.0.2.1:53"),
	("listener add l udp 1.2.3.4:65536", "192.0.2.1:53"),
	("listener add l udp ::1:53", "[::]:53"),
	("listener add l udp 1.2.3.4:5 default", "must be followed by action"),
	("listener add l udp 1.2.3.4:5 default group", "must be followed by a group"),
	("listener add l udp 1.2.3.4:5 frob", "known: "),
	("listener add l udp 1.2.3.4:5 reject-reply hex:0", "hex:0102"),
	("listener add l udp 1.2.3.4:5 reject-reply " + "x" * 513, "the kernel takes 512"),
	("listener add l udp 1.2.3.4:5 copy 513", "a number from 0 to 512"),
	("listener set l", "nothing to change was given"),
	("listener set l dev lo", "is no option here"),
	("listener del", "must be followed by a listener"),
	("listener del l m", "is more than this command takes"),
	("listener show -j", "sluice -j stats"),
	("group add g steer sideways", "known: hash"),
	("group add g key bytes 4", "must be followed by length"),
	("group add g backlog 16777217", "a number from 0 to 16777216"),
	("group add g backlog-bytes 1Q", "64K, 16M, 1GiB"),
	("group add g no-consumer hold 5", "500ms or 2s"),
	("group add g crash boom", "known: requeue, reissue, reject"),
	("group add g owner nosuchuser", "use a number"),
	("group add g owner 0:nosuchgroup", "use a number"),
	("group add g max-rings 257", "a number from 0 to 256"),
	("rule add l 0 drop", "numbered from 1"),
	("rule add l 1", "has no action"),
	("rule add l 1 drop pass", "a rule has one action"),
	("rule add l 1 src 1.2.3.4/33 drop", "from 0 to 32"),
	("rule add l 1 src fd00::/129 drop", "from 0 to 128"),
	("rule add l 1 src nowhere drop", "10.0.0.0/8"),
	("rule add l 1 length x drop", "10-200"),
	("rule add l 1 bytes 4 = 1 drop", "4/2 are the 2 bytes at offset 4"),
	("rule add l 1 bytes 4/2 = x drop", "17 or 0x11"),
	("rule add l 1 token 0 256 = a drop", "a number from 0 to 255"),
	("rule add l 1 token 0 1 a drop", "token 8 0 = get,gets"),
	("rule add l 1 prio 4 drop", "a number from 0 to 3"),
	("rule add l 1 deadline 2h drop", "up to an hour"),
	("rule add l 1 deadline 5 drop", "500us, 5ms or 1s"),
	("rule add l 1 deadline-field 4 group g", "no OFFSET/WIDTH"),
	("rule add l 1 deadline-field 4/16 group g", "no OFFSET/WIDTH"),
	("rule add l 1 deadline-field 4/4 max 2h group g", "up to an hour"),
	("rule add l 1 deadline-field 4/4 max 0 group g", "no longest deadline"),
	("rule del l", "must be followed by rule number"),
	("ring set 1", "drain on or drain off"),
	("ring set x drain on", "is no ring number"),
	("ring drain x", "is no ring number"),
	("ring drain 1 timeout soon", "50us, 2ms or 10s"),
	("ring del", "must be followed by ring number"),
	("stats frob", "known: listener, rule"),
	("check frob", "is more than this command takes"),
	("explain l", "must be followed by a message"),
	("explain l hex:1", "file:PATH"),
	("explain l m from nobody", "is no address"),
	("explain l m frob", "is more than this command takes"),
	("apply", "must be followed by a file"),
	("apply f frob", "is more than this command takes"),
	("monitor count x", "is no number of events"),
	("top interval 0", "500ms or 2s"),
	("top count", "must be followed by number of rounds"),
	("doctor frob", "known: build, load, run"),
	("help frob", "known: listener, group"),
)

BAD_FILES = (
	("group g steer sideways\n", ":1: ", "known: hash"),
	("group g\n\n# two\ngroup g\n", ":4: ", "two groups"),
	("listener l udp 1.2.3.4:5 default group nix\n", ":1: ", 'the file has no group "nix"'),
	("rule l 1 drop\n", ":1: ", 'no listener "l" stands above'),
	("listener l udp 1.2.3.4:5 {\n rule 1 group nix\n}\n", ":", "a rule names a group"),
	("listener l udp 1.2.3.4:5 {\n rule 1 drop\n", ":1: ", "not closed with }"),
	("listener l udp 1.2.3.4:5 {\n rule 1 drop\n rule 1 drop\n}\n", ":", "two rules 1"),
	("listener l udp 1.2.3.4:5 {\n group g\n}\n", ":2: ", "rules only"),
	("}\n", ":1: ", "without a block"),
	('group "g\n', ":1: ", "a quote is not closed"),
	("frob\n", ":1: ", "group, listener or rule"),
	('{"groups": [{"name": "g", "frob": 1}]}', "groups[0]: ", '"frob" is no property of a group'),
	('{"groups": [{"name": "g", "steering": "sideways"}]}', "groups[0]: ", '"steering" cannot be "sideways"'),
	('{"groups": {}}', "", '"groups" must be a list'),
	('{"groups": [\n}', ":2: ", "no JSON object"),
	('{"listeners": [{"name": "l", "addr": "x"}]}', "listeners[0]: ", '"addr" must be an IPv4 or IPv6 address'),
)


def usage_errors():
	for words, part in WRONG:
		r = run("sluice", *words.split())
		ok = r.status == 2 and not r.out and r.err.startswith("sluice: " if words else "Usage: ") and part in r.err
		check(ok, "wrong usage: sluice %s" % words[:60], "%s\nwant in it %r" % (r, part))


def bad_files():
	for text, place, part in BAD_FILES:
		r = run("sluice", "-d", "apply", "-", stdin=text)
		ok = r.status == 2 and r.err.startswith("sluice: -") and place in r.err and part in r.err
		check(ok, "bad file: %r" % text[:40], "%s\nwant in it %r" % (r, part))
	r = run("sluice", "apply", "/nonexistent")
	check(r.status == 1 and "cannot read /nonexistent: No such file" in r.err, "no file", r)
	r = run("sluice", "-d", "apply", "-", stdin="group g\0\n")
	check(r.status == 2 and "no text file" in r.err, "a file with a zero byte", r)


def names_in(text, prefix):
	return re.findall(r"^  %s([a-z]+)" % prefix, text, re.M)


def helps(path, words):
	"""All ways to ask for the help of one command say the same."""
	forms = [run("sluice", "help", *words), run("sluice", *words, "--help"), run("sluice", *words, "-h")]
	same = all(f.status == 0 and f.out == forms[0].out and not f.err for f in forms)
	check(same and forms[0].out, "help of %s" % path, "\n".join(map(str, forms)))
	return forms[0].out


def help_of_everything():
	top = run("sluice", "--help")
	check(top.status == 0 and top.out == run("sluice", "help").out, "sluice --help", top)
	names = [n for n in names_in(top.out, "")]
	check(len(names) >= 13 and "listener" in names and "doctor" in names, "it lists the commands", names)
	paths = []
	for name in names:
		text = helps(name, [name])
		verbs = names_in(text, "sluice %s " % name)
		for verb in verbs:
			text = helps("%s %s" % (name, verb), [name, verb])
			contains(text, "Usage: sluice %s %s" % (name, verb), "usage of %s %s" % (name, verb))
			paths.append(([name, verb], text))
		if not verbs:
			contains(text, "Usage: sluice %s" % name, "usage of %s" % name)
			paths.append(([name], text))
	equal(run("sluice", "listener", "add", "x", "udp", "--help").out, run("sluice", "help", "listener", "add").out,
	      "--help behind arguments")
	equal(run("sluice", "list", "help").out, run("sluice", "help", "listener").out, "a short word, and help behind it")
	return names, paths


def complete(line):
	"""What bash offers for a line with the cursor at its end."""
	script = 'source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; _sluice; printf "%s\\n" "${COMPREPLY[@]}"'
	return run("bash", "-c", script, "bash", COMPLETION[0], line).out.split()


def completion(names, paths):
	if not COMPLETION:
		skip("completion", "no completion file here")
		return
	equal(sorted(complete("sluice ")), sorted(names), "completion offers every command")
	for path, text in paths:
		offered = complete("sluice " + " ".join(path[:-1] + [path[-1][:3]]))
		check(path[-1] in offered, "completion of %s" % " ".join(path), offered)
		options = re.findall(r"^  ([a-z0-9-]+)", text.partition("Options")[2], re.M)
		if not options:
			continue
		start = {"rule": "l 1", "listener": "l udp 127.0.0.1:7" if path[-1] == "add" else "l", "group": "g",
			 "ring": "1"}.get(path[0], "")
		offered = complete("sluice %s " % " ".join([*path, *start.split()]))
		equal(sorted(offered), sorted(options), "completion of the options of %s" % " ".join(path))
	equal(complete("sluice group add g no-consumer hold 1s crash re"), ["requeue", "reissue", "reject"],
	      "completion of a value behind other options")
	equal(complete("sluice -j listener add l udp [::]:53 default gr"), ["group"], "completion with colons in the line")
	equal(sorted(complete("sluice --")), ["--dump", "--help", "--json", "--pretty", "--quiet", "--version"],
	      "completion of options")
	script = ('source "$1"; COMP_LINE=$2 COMP_POINT=${#2}; $(complete -p ${2%% *} | sed "s/.*-F \\([^ ]*\\).*/\\1/"); '
		  'printf "%s\\n" "${COMPREPLY[@]}"')
	for line, want in (("sluice-load --pro", ["--protocol"]), ("sluice-load --protocol r", ["raw", "resp"]),
			   ("sluice-load --transport t", ["tcp"])):
		got = run("bash", "-c", script, "bash", COMPLETION[0], line).out.split()
		equal(got, want, "completion of %s" % line)
	for name in "sluice-load", "sluiced":
		listed = re.findall(r"^ *(?:-[A-Za-z], *)?(--[a-z-]+)", run(name, "--help").out, re.M)
		got = run("bash", "-c", script, "bash", COMPLETION[0], name + " --").out.split()
		equal(sorted(got), sorted(listed), "completion of all options of " + name)


def device():
	r = run("sluice", "listener", "add", "l", "udp", "1.2.3.4:5", "dev", "nosuchdev0")
	check(r.status == 1 and 'no device "nosuchdev0"' in r.err and 'see "ip link"' in r.err, "no such device", r)


def dump():
	r = run("sluice", "-d", "listener", "add", "l", "udp", "[fd07::1]:7000", "default", "group", "g",
		"reject-reply", "hex:00ff", "copy", "2")
	want = ["listener-new", 'name "l"', "addr fd07::1", "port 7000", "action group", 'group "g"',
		'reject-data "\\x00\\xff"', "reject-copy 2"]
	contains(r.out, want, "-d prints the request")
	r = run("sluice", "-d", "rule", "add", "l", "7", "token", "8", "0", "=", "get,gets", "src", "10.0.0.0/8", "prio", "0",
		"deadline", "5ms", "group", "g", "class", "c")
	contains(r.out, ["rules-set", "id 7", "kind token", 'word "get"', 'word "gets"', "addr 10.0.0.0", "prefix 8",
			 "prio 0", "deadline 5000000", 'class "c"'], "-d prints a rule with its matches")
	r = run("sluice", "-d", "apply", "-", stdin="group g\nlistener l udp *:1 default group g\nrule l 1 drop\n")
	contains(r.out, ["group-new", "listener-new", "rules-set"], "-d apply prints what a file comes to")
	check(r.out.index("group-new") < r.out.index("listener-new") < r.out.index("rules-set"), "in the order it is sent", r)


def output():
	r = run("sluice", "--version")
	check(r.status == 0 and re.match(r"sluice \d+\.\d+\.\d+\n$", r.out), "--version", r)
	r = run("bash", "-c", "sluice help >/dev/full")
	check(r.status == 1 and "cannot write" in r.err, "a full disk is an error", r)
	r = run("bash", "-c", "sluice --help >/dev/full")
	equal(r.status, 1, "for the options too")


usage_errors()
bad_files()
completion(*help_of_everything())
device()
dump()
output()
done()
