# SPDX-License-Identifier: GPL-2.0-only
# Owns the reading of a litmus test in the kernel's C format and the list of its executions.
#
# What is read: marked and plain loads and stores of ints, smp_mb/rmb/wmb, barrier(), if. Locks, RCU,
# pointers and atomics are not: such a test is refused (Unsupported), never guessed at.

import itertools
import re

from cat import Algebra


class Unsupported(Exception):
    pass


FENCES = {"smp_mb": "Mb", "smp_rmb": "Rmb", "smp_wmb": "Wmb", "barrier": "Barrier"}
STATEMENTS = [
    (re.compile(r"WRITE_ONCE\(\*(\w+),\s*(.*)\)$"), "W", "Once"),
    (re.compile(r"smp_store_release\((\w+),\s*(.*)\)$"), "W", "Release"),
    (re.compile(r"\*(\w+)\s*=\s*(.*)$"), "W", None),
    (re.compile(r"(\w+)\s*=\s*READ_ONCE\(\*(\w+)\)$"), "R", "Once"),
    (re.compile(r"(\w+)\s*=\s*smp_load_acquire\((\w+)\)$"), "R", "Acquire"),
    (re.compile(r"(\w+)\s*=\s*\*(\w+)$"), "R", None),
]
# Sets and relations of the model that none of these tests has anything in.
NO_SETS = ("Noreturn RMW LKR LKW UL LF RL RU Before-atomic After-atomic After-spinlock After-unlock-lock "
           "After-srcu-read-unlock Srcu-lock Srcu-unlock Sync-srcu Rcu-lock Rcu-unlock Sync-rcu").split()
NO_RELATIONS = "rmw rcu-rscs srcu-rscs".split()


class Event:
    def __init__(self, thread, kind, tag, place=None, value=None, addr=(), data=(), ctrl=()):
        self.thread, self.kind, self.tag, self.place, self.value = thread, kind, tag, place, value
        self.data, self.ctrl = frozenset(data), frozenset(ctrl)


def blocks(text):
    """Statements of a body: strings, and (condition, then, else) for an if."""
    out, text = [], text.strip()
    while text:
        branch = re.match(r"if\s*\(", text)
        if branch:
            condition, text = cut(text[branch.end() - 1:], "()")
            then, text = arm(text)
            otherwise = []
            if re.match(r"else\b", text):
                otherwise, text = arm(text[4:].lstrip())
            out.append((condition, then, otherwise))
        else:
            end = text.index(";")
            out.append(text[:end].strip())
            text = text[end + 1:].lstrip()
    return out


def cut(text, pair):
    depth = 0
    for at, char in enumerate(text):
        depth += (char == pair[0]) - (char == pair[1])
        if not depth:
            return text[1:at], text[at + 1:].lstrip()
    raise SyntaxError("litmus: no end of " + text[:40])


def arm(text):
    if text.startswith("{"):
        inner, text = cut(text, "{}")
        return blocks(inner), text
    end = text.index(";")
    return blocks(text[:end + 1]), text[end + 1:].lstrip()


class Litmus:
    """One test: threads, first values, condition, and the result that its comment promises."""

    def __init__(self, text):
        promised = re.search(r"Result:\s*(\w+)", text)
        self.result = promised.group(1) if promised else None
        self.name = text.split()[1]
        text = re.sub(r"\(\*\s.*?\*\)|//[^\n]*|/\*.*?\*/", "", text, flags=re.S)
        bad = re.search(r"\b(\w*lock\w*|rcu_\w+|\w*xchg\w*|atomic_\w+|smp_mb__\w+|\w*srcu\w*)\(|int \*\*", text)
        if bad:
            raise Unsupported(bad.group(0))
        text = re.sub(r"^C\s+\S+", "", text.strip())
        first, text = cut(text.lstrip(), "{}")
        self.first = {p: int(v) for p, v in re.findall(r"(\w+)\s*=\s*(\d+)", first)}
        self.threads = []
        while re.match(r"P\d+\s*\(", text):
            _, text = cut(text[text.index("("):], "()")
            body, text = cut(text, "{}")
            self.threads.append(blocks(body))
        self.read_condition(text)
        self.domain = sorted({0} | {int(v) for v in re.findall(r"\b\d+\b", repr(self.threads))})
        self.places = sorted({e.place for t in range(len(self.threads))
                              for events, _ in self.runs(t) for e in events if e.place})

    def read_condition(self, text):
        kind, rest = re.search(r"(~exists|exists|forall)\s*(.*)$", text.strip(), re.S).groups()
        rest = rest.replace("/\\", " and ").replace("\\/", " or ").replace("~", " not ")
        rest = re.sub(r"(\d+):(\w+)\s*=\s*(\d+)", r"(regs[\1].get('\2', 0) == \3)", rest)
        rest = re.sub(r"(?<![\w'.\]])([a-z]\w*)\s*=\s*(\d+)", r"(final['\1'] == \2)", rest)
        if kind == "forall":
            raise Unsupported(kind)
        self.condition = compile(" ".join(rest.split()), self.name, "eval")

    # ---- one thread: all runs, with the values of its loads guessed from the test's numbers ----

    def runs(self, t):
        done, open_runs = [], [()]
        while open_runs:
            guesses = open_runs.pop()
            events, regs, more = self.run(t, guesses)
            if more:
                open_runs += [guesses + (v,) for v in self.domain]
            else:
                done.append((events, regs))
        return done

    def run(self, t, guesses):
        """Run with these loads; more is True if there was a load left without a guess."""
        events, regs, taint = [], {}, {}
        guesses = list(guesses)

        def operand(text):
            names = re.findall(r"[A-Za-z_]\w*", text)
            for name in names:
                if name not in regs:
                    raise Unsupported(text)
            return (int(eval(text.replace("!", " not ").replace("not =", "!="), {}, dict(regs))),  # pylint: disable=eval-used
                    frozenset().union(*[taint[n] for n in names]) if names else frozenset())

        def walk(statements, ctrl):
            for statement in statements:
                if isinstance(statement, tuple):
                    value, deps = operand(statement[0])
                    if not walk(statement[1] if value else statement[2], ctrl | deps):
                        return False
                elif not re.match(r"int\s+\w+$", statement) and not step(statement, ctrl):
                    return False
            return True

        def step(statement, ctrl):
            fence = re.match(r"(\w+)\(\)$", statement)
            if fence and fence.group(1) in FENCES:
                events.append(Event(t, "F", FENCES[fence.group(1)]))
                return True
            for pattern, kind, tag in STATEMENTS:
                found = pattern.match(statement)
                if not found:
                    continue
                if kind == "W":
                    value, deps = operand(found.group(2))
                    events.append(Event(t, "W", tag, found.group(1), value, data=deps, ctrl=ctrl))
                    return True
                if not guesses:
                    return False
                reg, place = found.groups()
                regs[reg] = guesses.pop(0)
                taint[reg] = frozenset([len(events)])
                events.append(Event(t, "R", tag, place, regs[reg], ctrl=ctrl))
                return True
            raise Unsupported(statement)

        return events, regs, not walk(self.threads[t], frozenset())

    # ---- the whole: who reads from whom, and in which order stores reach memory ----

    def executions(self):
        """(number of events, what the model starts from, registers, final values) of each."""
        for runs in itertools.product(*[self.runs(t) for t in range(len(self.threads))]):
            events = [Event(-1, "W", "IW", p, self.first.get(p, 0)) for p in self.places]
            base = []
            for thread, _ in runs:
                base.append(len(events))
                events += thread
            sources = []
            for e in events:
                if e.kind == "R":
                    sources.append([w for w, ev in enumerate(events) if ev.kind == "W" and
                                    ev.place == e.place and ev.value == e.value])
            if not all(sources):
                continue
            orders = [itertools.permutations([w for w, ev in enumerate(events) if ev.kind == "W" and
                                              ev.place == p and ev.thread >= 0]) for p in self.places]
            for order in itertools.product(*[list(o) for o in orders]):
                final = {p: events[o[-1]].value if o else self.first.get(p, 0)
                         for p, o in zip(self.places, order)}
                for chosen in itertools.product(*sources):
                    yield (len(events), relations(events, base, chosen, order, self.places),
                           [regs for _, regs in runs], final)

    def allowed(self, model):
        """(condition met, flags) of each execution that the model allows."""
        for n, env, regs, final in self.executions():
            forbidden, flags = model.judge(n, env)
            if not forbidden:
                yield bool(eval(self.condition, {}, {"regs": regs, "final": final})), flags  # pylint: disable=eval-used

    def verdict(self, model):
        """Never, Sometimes or Always, and whether a data race was flagged."""
        met, flags = [], set()
        for hit, raised in self.allowed(model):
            met.append(hit)
            flags |= raised
        word = "Never" if not any(met) else "Always" if all(met) else "Sometimes"
        return word, "data-race" in flags


def relations(events, base, chosen, order, places):
    """The names that a cat model starts from, those of linux-kernel.bell among them."""
    n = len(events)
    alg = Algebra(n)

    def pick(test):
        return sum(1 << i for i, e in enumerate(events) if test(e))

    def relate(test):
        return tuple(sum(1 << b for b in range(n) if test(a, b)) for a in range(n))

    def pairs(some):
        rows = [0] * n
        for a, b in some:
            rows[a] |= 1 << b
        return tuple(rows)

    env = {name: 0 for name in NO_SETS}
    env.update({name: alg.none for name in NO_RELATIONS})
    for tag in ("Once", "Release", "Acquire", "Mb", "Rmb", "Wmb", "Barrier", "IW"):
        env[tag] = pick(lambda e, tag=tag: e.tag == tag)
    env["R"], env["W"] = pick(lambda e: e.kind == "R"), pick(lambda e: e.kind == "W")
    env["M"] = env["R"] | env["W"]
    env["Plain"] = pick(lambda e: e.kind in "RW" and e.tag is None)
    env["Marked"] = alg.all & ~env["Plain"]
    env["id"] = alg.id
    env["int"] = relate(lambda a, b: events[a].thread == events[b].thread)
    env["ext"] = relate(lambda a, b: events[a].thread != events[b].thread)
    env["loc"] = relate(lambda a, b: events[a].place is not None and events[a].place == events[b].place)
    env["po"] = relate(lambda a, b: a < b and events[a].thread == events[b].thread >= 0)
    env["po-loc"] = alg.both(env["po"], env["loc"], int.__and__)
    reads = [i for i, e in enumerate(events) if e.kind == "R"]
    env["rf"] = pairs(zip(chosen, reads))
    env["co"] = pairs(itertools.chain.from_iterable(
        itertools.combinations((places.index(p),) + o, 2) for p, o in zip(places, order)))
    env["fr"] = alg.sequence(alg.inverse(env["rf"]), env["co"])
    for name in ("rf", "co", "fr"):
        env[name + "e"] = alg.both(env[name], env["ext"], int.__and__)
        env[name + "i"] = alg.both(env[name], env["int"], int.__and__)
    depend = {"addr": alg.none}
    for name in ("data", "ctrl"):
        depend[name] = pairs((base[e.thread] + r, i) for i, e in enumerate(events) if e.thread >= 0
                             for r in getattr(e, name))
    # As the bell file redefines them: dependencies go through plain stores and loads of one thread.
    carry = alg.both(alg.plus(alg.sequence(depend["data"], env["rfi"])), alg.id, int.__or__)
    for name, rel in depend.items():
        env[name] = alg.sequence(carry, rel)
    return env
