#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The same commands to sluiced's kv and to memcached, both over UDP: the same bytes must come back."""
import random
import re
import struct
import subprocess
import sys
import time

from kv_client import Kv, Memcached

OURS = ("10.7.0.1", 11211)
THEIRS = ("10.7.0.1", 11311)

CONF = """
group cache handler kv workers 2 reply-slots 1408:32 {
	memory 64M
}
"""

LONG = "k" * 250
TOO_LONG = "k" * 251
BIG = 100000        # a value of many datagrams cannot be sent in one; it is grown by append

# One list: commands in the order in which both servers get them, a response each; None: noreply.
TABLE = [
    "get a", "gets a", "get", "gets", "get a b c", "delete a", "touch a 10", "incr a 1", "decr a 1",
    "set a 0 0 3\r\nabc", "get a", "get a a", "get b a", "set a 4294967295 0 0\r\n", "get a",
    "set a -1 0 1\r\nx", "set a x 0 1\r\nx", "set a 0 x 1\r\nx", "set a 0 0 x\r\nx",
    "set a 0 0 -1\r\nx", "set a 0 0", "set a 0 0 1 2 3\r\nx", "set", "set a 0 0 1\r\nxyz",
    "add a 1 0 1\r\ny", "add b 2 0 2\r\nyy", "get a b", "replace c 0 0 1\r\nz", "replace b 3 0 3\r\nzzz", "get b",
    "append b 9 0 2\r\n++", "prepend b 9 0 2\r\n--", "get b", "append nothing 0 0 1\r\nx", "prepend nothing 0 0 1\r\nx",
    "set n 5 0 2\r\n10", "incr n 5", "decr n 6", "get n", "incr n 99999999999", "get n", "decr n 99999999999999", "get n",
    "incr n 18446744073709551615", "incr n 1", "get n", "incr n -1", "incr n x", "incr n", "incr n 1 2 3", "incr b 1",
    "incr n 18446744073709551616", "decr n 0", "set n 0 0 3\r\n 12", "incr n 1", "set n 0 0 4\r\n12 x", "incr n 1",
    "set n 0 0 20\r\n18446744073709551615", "incr n 2", "set n 0 0 21\r\n184467440737095516150", "incr n 2",
    "delete b", "delete b", "delete", "delete a 0", "delete a 1", "delete a x", "delete a 0 noreply x",
    "set a 0 0 1\r\na", "touch a 100", "touch a", "touch a x", "gat 100 a", "gats", "gat", "gat x a", "gat 100",
    "gat 100 a missing", "touch a -1", "get a", "set a 0 -1 1\r\nx", "get a", "set a 0 0 1\r\nx",
    "verbosity 1", "verbosity", "verbosity x", "bogus", "GET a", "", " ", "get  a  a ", "  get a",
    "set " + LONG + " 0 0 1\r\nl", "get " + LONG, "get " + TOO_LONG, "get a " + TOO_LONG, "set " + TOO_LONG + " 0 0 1\r\nl",
    "delete " + TOO_LONG, "incr " + TOO_LONG + " 1", "touch " + TOO_LONG + " 1",
    "set spaced 0 0 3 noreply\r\nabc", "get spaced", "set a 7 0 1 noreply\r\nq", "get a",
    "append a 0 0 1 noreply\r\n!", "get a", "delete a noreply", "get a", "delete a 0 noreply", "get a",
    "set n 0 0 1 noreply\r\n1", "get n", "incr n 4 noreply", "get n", "touch n 100 noreply", "get n",
    "cas a 0 0 1 1\r\nx", "cas a 0 0 1\r\nx", "cas a 0 0 1 x\r\nx", "cas a 0 0 1 1 2 3\r\nx",
    "flush_all", "get n spaced a", "flush_all 0", "flush_all x", "flush_all 1 2 3 4", "verbosity 0 noreply", "get a",
    "set e 0 1 1\r\ne", "set f 0 1000 1\r\nf",
    # meta commands; what q silences is in the unit tests
    "mn", "mg mk", "mg mk v", "mg mk k O1", "ms mk 3\r\nabc", "mg mk", "mg mk s v t f k O123 h", "mg mk h t", "mg mk v v", "mg mk !",
    "mg mk T300 v", "ms mk 3 T0 F5 k O9\r\nxyz", "mg mk f v t", "ms mk 3 MA\r\n123", "ms mk 1 MP\r\n0", "mg mk v", "ms mb 1 MA\r\nx",
    "ms mb 1 ME\r\ny", "ms mb 1 ME\r\ny", "ms mb 1 Mx\r\ny", "ms mb 1 MSS\r\ny", "ms mc 1 MR\r\ny", "ms mb 1 C999999999\r\nz", "md mb k O5", "md mb k O5",
    "ma mn1", "ma mn1 N0 J41", "ma mn1 v", "ma mn1 MD D10 v k", "ma mn1 M- v t", "ma mk v", "ma mn1 C999999999", "mg viv N300 v", "mg viv N300 v",
    "ms viv 2 T300\r\nxx", "mg viv R6000 v", "mg viv R6000 v", "md viv I T200", "mg viv v", "mg viv v", "me none", "mg", "md", "ms mk", "mg mk Tx",
]


# Counters of stats that must agree: both were given the same and expire the same.
COUNTED = [n.encode() for n in ("limit_maxbytes cmd_get cmd_touch get_hits get_misses delete_hits delete_misses incr_hits incr_misses"
                                " decr_hits decr_misses cas_hits cas_badval cas_misses touch_hits touch_misses evictions").split()]


def is_silent(command):
    return command.split("\r\n")[0].split(" ")[-1] == "noreply" and not command.startswith("delete a 0 noreply x")


class Both:
    def __init__(self):
        self.kv = [Kv(*OURS), Memcached(*THEIRS)]
        self.cases = 0
        self.bad = []

    def ask(self, command):
        return [kv.ask(command) for kv in self.kv]

    def same(self, command, show=None):
        """Give both the command; the response must be the same. A noreply's silence is seen by what follows."""
        self.cases += 1
        data = command if isinstance(command, bytes) else command.encode() + b"\r\n"
        ours, theirs = self.ask(data)
        if ours != theirs:
            self.bad.append("%s: ours %r, memcached's %r" % (show or repr(command)[:100], clip(ours), clip(theirs)))
        return theirs

    def silent(self, command):
        for kv in self.kv:
            kv.tell(command.encode() + b"\r\n")
        self.same("get silence")


def clip(data):
    return data if data is None or len(data) < 120 else data[:60] + b"..." + data[-40:]


def table(both):
    for command in TABLE:
        if is_silent(command):
            both.silent(command)
        else:
            both.same(command)


def cas(both):
    """Versions are each server's own; what is done with them is not."""
    for key in ("v1", "v2", "v3"):
        both.same("set %s 1 0 3\r\nold" % key)
        versions = [int(r.split(b"\r\n")[0].split()[-1]) for r in both.ask(b"gets %s\r\n" % key.encode())]
        for suffix in ("", " noreply"):
            replies = []
            for kv, version in zip(both.kv, versions):
                for number in (version + 100000, version, version):
                    command = "cas %s 2 0 3 %d%s\r\nnew\r\n" % (key, number, suffix)
                    if suffix:
                        kv.tell(command.encode())
                    else:
                        replies.append(kv.ask(command.encode()))
            both.cases += 1
            if replies[:3] != replies[3:]:
                both.bad.append("cas: ours %r, memcached's %r" % (replies[:3], replies[3:]))
        both.same("get %s" % key)


def large(both):
    """Values over many datagrams, alone and together."""
    both.same("set big 3 0 0\r\n")
    piece = "".join(chr(97 + i % 26) for i in range(1000))
    for _ in range(BIG // 1000):
        both.same("append big 0 0 1000\r\n" + piece)
    both.same("get big")
    both.cases += 1
    if both.kv[0].datagrams != both.kv[1].datagrams or both.kv[0].datagrams < 2:
        both.bad.append("datagrams: %d and %d" % (both.kv[0].datagrams, both.kv[1].datagrams))
    both.same("set k1 0 0 700\r\n" + "x" * 700)
    both.same("set k2 0 0 695\r\n" + "y" * 695)
    for keys in ("k1 k2", "k1 k1", "big k1 k2 big", "k2 none k1"):
        both.same("get " + keys)
    # The lengths around one datagram's room.
    for n in range(1360, 1392):
        both.same("set edge 0 0 %d\r\n%s" % (n - 30, "e" * (n - 30)))
        both.same("get edge")


def many_keys(both):
    """A get whose keys lie with both workers, in the order in which they were asked for."""
    keys = ["key%d" % i for i in range(100)]
    for i, key in enumerate(keys):
        if i % 3:
            both.same("set %s %d 0 %d\r\n%s" % (key, i, i, "v" * i))
    for n in (2, 10, 33, 64, 100):
        both.same("get " + " ".join(random.sample(keys, n)))


def several(both):
    """Several commands in one datagram, answered in one response."""
    both.same(b"set p 0 0 1\r\n1\r\nget p\r\nincr p 1\r\nget p q\r\n")
    both.same(b"set p 0 0 1\n1\r\nget p\n")


def random_commands(both, seed):
    rnd = random.Random(seed)
    keys = ["r%d" % i for i in range(8)]

    def one():
        key = rnd.choice(keys)
        kind = rnd.choice("get get set add replace append prepend incr decr delete touch gat".split())
        value = rnd.choice(["", "1", "17", "abc", "z" * rnd.randrange(400)])
        if kind == "get":
            return "get " + " ".join(rnd.choices(keys, k=rnd.randrange(1, 6)))
        if kind in ("incr", "decr"):
            return "%s %s %d" % (kind, key, rnd.randrange(100))
        if kind == "delete":
            return "delete " + key
        if kind == "touch":
            return "touch %s %d" % (key, rnd.choice([0, 1000, -1]))
        if kind == "gat":
            return "gat %d %s" % (rnd.choice([0, 1000]), key)
        return "%s %s %d %d %d\r\n%s" % (kind, key, rnd.randrange(1000), rnd.choice([0, 0, 0, 1000]), len(value), value)

    for _ in range(400):
        both.same(one())


def framing(both):
    """
    Ours alone, for memcached answers none of these and after half a command no more at all: requests over several
    datagrams and malformed ones are refused or dropped, and the server lives on.
    """
    ours = both.kv[0]
    for sequence, count in ((0, 2), (1, 2), (0, 0), (0, 65535)):
        both.cases += 1
        reply = ours.receive(ours.send(b"get a\r\n", sequence, count))
        if reply != b"SERVER_ERROR multi-packet request not supported\r\n":
            both.bad.append("datagram %d of %d: %r" % (sequence, count, reply))
    rnd = random.Random(7)
    for n in range(200):
        ours.sock.send(bytes(rnd.randrange(256) for _ in range(rnd.randrange(0, 60))))
    for text in (b"set x 0 0 100\r\nshort\r\n", b"get a", b"\0\0\0\0", b"\xff" * 600):
        both.cases += 1
        reply = ours.ask(text)
        if reply is None or b"ERROR" not in reply:
            both.bad.append("malformed %r: %r" % (text[:20], reply))
    both.cases += 1
    ours.sock.send(struct.pack("!HHHH", 1, 0, 1, 0))
    if ours.ask(b"get nothing\r\n") != b"END\r\n":
        both.bad.append("after malformed datagrams it does not answer")


def expiry(both):
    """What was given a second in the table has expired by now, on both, as soon as their clocks say so."""
    for _ in range(200):
        if both.ask(b"get e\r\n") == [b"END\r\n"] * 2:
            break
        time.sleep(0.05)
    both.same("get e f")


def stats(both):
    """The names that both know are spelt alike, and what they count agrees where it must."""
    both.cases += 1
    ours, theirs = [dict(re.findall(rb"STAT (\S+) (.*)\r\n", r)) for r in both.ask(b"stats\r\n")]
    for name in COUNTED:
        if ours.get(name) != theirs.get(name):
            both.bad.append("stats %r: ours %r, memcached's %r" % (name, ours.get(name), theirs.get(name)))
    missing = {b"pid", b"uptime", b"time", b"version", b"pointer_size", b"cmd_get", b"cmd_set", b"get_hits", b"get_misses",
               b"bytes", b"evictions", b"threads"} - set(ours)
    if missing:
        both.bad.append("stats lacks %r" % missing)
    both.cases += 1
    if not re.fullmatch(rb"VERSION \S+\r\n", both.kv[0].ask(b"version\r\n")):
        both.bad.append("version")


def main():
    both = Both()
    parts = (table, cas, large, many_keys, several, lambda b: random_commands(b, 1), lambda b: random_commands(b, 2), expiry,
             stats, framing)
    names = ("a table of commands", "cas", "values over many datagrams", "gets across workers",
             "several commands in a datagram", "random commands", "other random commands", "expiry", "stats", "framing")
    failed = 0
    for i, (part, name) in enumerate(zip(parts, names)):
        both.bad = []
        before = both.cases
        part(both)
        for line in both.bad[:20]:
            print("# " + line)
        failed += bool(both.bad)
        print("%s %d %s: %d responses compared" % ("not ok" if both.bad else "ok", i + 1, name, both.cases - before), flush=True)
    print("1..%d" % len(parts))
    return 1 if failed else 0


def run():
    """Set up in two namespaces by the shell's library, run there, take down."""
    with open("/tmp/sluiced.conf", "w", encoding="ascii") as f:
        f.write(CONF)
    script = """
. ./lib.sh
. ./daemon.sh
net_up >&2
sl group add cache steer hash key token 8 1
sl listener add l udp 10.7.0.1:11211 default group cache
daemon
ip netns exec srv memcached -u nobody -l 10.7.0.1 -p 0 -U 11311 -t 1 -m 64 2>/tmp/memcached.log &
consumers="$consumers $!"
until_true 20 sh -c "ip netns exec srv ss -lnu | grep -q :11311"
cli python3 ./sluiced_memcached.py compare || failures=1
kill -USR1 "$daemon"
says 'worker 1: ring' || failures=1
ended TERM || { echo "# sluiced did not drain"; failures=1; }
sl check || failures=1
sed 's/^/# /' /tmp/sluiced.log
[ "$failures" -eq 0 ]
"""
    return subprocess.run(["sh", "-c", script], check=False).returncode


if __name__ == "__main__":
    sys.exit(main() if sys.argv[1:] == ["compare"] else run())
