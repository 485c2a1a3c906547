# SPDX-License-Identifier: GPL-2.0-only
# Owns the reading of a memory model in the "cat" language and its judgement of one execution.
#
# What of cat is read is what the kernel's linux-kernel.cat uses: let, let rec, functions, the
# operators | ; \ & * + ? ^-1 ~ [], and the checks acyclic, irreflexive, empty and flag. Includes are
# left out: no litmus test here takes locks, and coherence orders come with the execution.
#
# Over n events a set is an int (bit e: event e is in it), a relation a tuple of n such rows.

import re

KEYWORDS = {"let", "rec", "and", "in", "as", "acyclic", "irreflexive", "empty", "flag", "include"}
TOKEN = re.compile(r"""\s+ | //[^\n]* | "[^"]*" | (?P<name>[A-Za-z_][\w.-]*) | (?P<op>\^-1|[][()|;\\&*+?~=,])""",
                   re.X)


def tokens(text):
    """Names and operators of a cat text, without its comments."""
    depth, at, out = 0, 0, []
    while at < len(text):
        if text.startswith("(*", at):
            depth, at = depth + 1, at + 2
        elif depth and text.startswith("*)", at):
            depth, at = depth - 1, at + 2
        elif depth:
            at += 1
        else:
            found = TOKEN.match(text, at)
            if not found:
                raise SyntaxError("cat: cannot read: " + text[at:at + 40])
            at = found.end()
            out += [t for t in (found.group("name"), found.group("op")) if t]
    return out


class Parser:
    """Recursive descent; loosest first: | ; \\ & (and the product *), then what stands behind."""

    LEVELS = ["|", ";", "\\", "&"]

    def __init__(self, text):
        self.tokens = tokens(text)
        self.at = 0

    def peek(self, ahead=0):
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else None

    def take(self, want=None):
        token = self.peek()
        if want and token != want:
            raise SyntaxError("cat: %s instead of %s" % (token, want))
        self.at += 1
        return token

    def starts_operand(self, token):
        return bool(token) and token not in KEYWORDS and (token[0].isalpha() or token in "([~")

    def expression(self, level=0):
        if level == len(self.LEVELS):
            return self.product()
        left = self.expression(level + 1)
        while self.peek() == self.LEVELS[level]:
            left = (self.take(), left, self.expression(level + 1))
        return left

    def product(self):
        left = self.postfix()
        while self.peek() == "*" and self.starts_operand(self.peek(1)):
            self.take()
            left = ("product", left, self.postfix())
        return left

    def postfix(self):
        left = self.operand()
        while self.peek() in ("*", "+", "?", "^-1"):
            if self.peek() == "*" and self.starts_operand(self.peek(1)):
                break
            left = ("after" + self.take(), left)
        return left

    def operand(self):
        token = self.take()
        if token == "~":
            return ("~", self.postfix())
        if token == "(":
            inner = self.expression()
            self.take(")")
            return inner
        if token == "[":
            inner = self.expression()
            self.take("]")
            return ("identity", inner)
        if self.peek() == "(":
            self.take()
            inner = self.expression()
            self.take(")")
            return ("call", token, inner)
        return ("name", token)

    def let(self):
        recursive = self.peek() == "rec"
        if recursive:
            self.take()
        name, parameter = self.take(), None
        if self.peek() == "(":
            self.take()
            parameter = self.take()
            self.take(")")
        self.take("=")
        return ("rec" if recursive else "let", name, parameter, self.expression())

    def check(self, kind, flag):
        negated = kind == "~"
        if negated:
            kind = self.take()
        what = self.expression()
        self.take("as")
        return ("check", kind, negated, flag, what, self.take())

    def statements(self):
        out = []
        while self.peek():
            token = self.take()
            if token == "let":
                out.append(self.let())
            elif token == "flag":
                out.append(self.check(self.take(), True))
            elif token in ("acyclic", "irreflexive", "empty", "~"):
                out.append(self.check(token, False))
            elif token != "include":
                raise SyntaxError("cat: statement " + token)
        return out


class Algebra:
    """Sets and relations over n events."""

    def __init__(self, n):
        self.n = n
        self.all = (1 << n) - 1
        self.id = tuple(1 << e for e in range(n))
        self.none = (0,) * n

    def members(self, mask):
        return [e for e in range(self.n) if mask >> e & 1]

    def identity(self, mask):
        return tuple(mask & 1 << e for e in range(self.n))

    def product(self, left, right):
        return tuple(right if left >> e & 1 else 0 for e in range(self.n))

    def sequence(self, left, right):
        out = []
        for row in left:
            reached = 0
            for e in self.members(row):
                reached |= right[e]
            out.append(reached)
        return tuple(out)

    def plus(self, rel):
        rows = list(rel)
        for via in range(self.n):
            for e in range(self.n):
                if rows[e] >> via & 1:
                    rows[e] |= rows[via]
        return tuple(rows)

    def inverse(self, rel):
        return tuple(sum(1 << a for a in range(self.n) if rel[a] >> b & 1) for b in range(self.n))

    def both(self, left, right, op):
        if isinstance(left, int):
            return op(left, right)
        return tuple(op(a, b) for a, b in zip(left, right))


class Model:
    """A cat file, ready to judge executions."""

    def __init__(self, path):
        with open(path) as text:
            self.statements = Parser(text.read()).statements()

    def value(self, tree, env, alg):
        kind = tree[0]
        if kind == "name":
            return env[tree[1]]
        if kind == "call":
            argument = self.value(tree[2], env, alg)
            if tree[1] == "fencerel":
                to = alg.both(env["po"], alg.product(alg.all, argument), int.__and__)
                return alg.sequence(to, env["po"])
            parameter, body, scope = env[tree[1]]
            return self.value(body, dict(scope, **{parameter: argument}), alg)
        args = [self.value(arg, env, alg) for arg in tree[1:]]
        if kind == "~":
            return alg.all & ~args[0] if isinstance(args[0], int) else tuple(alg.all & ~r for r in args[0])
        if kind == "identity":
            return alg.identity(args[0])
        if kind == "product":
            return alg.product(*args)
        if kind == ";":
            return alg.sequence(*args)
        if kind == "after+":
            return alg.plus(args[0])
        if kind == "after*":
            return alg.both(alg.plus(args[0]), alg.id, int.__or__)
        if kind == "after?":
            return alg.both(args[0], alg.id, int.__or__)
        if kind == "after^-1":
            return alg.inverse(args[0])
        return alg.both(*args, {"|": int.__or__, "&": int.__and__, "\\": lambda a, b: a & ~b}[kind])

    def holds(self, kind, what, alg):
        if kind == "empty":
            return not any(what) if isinstance(what, tuple) else not what
        if kind == "acyclic":
            what = alg.plus(what)
        return not any(row >> e & 1 for e, row in enumerate(what))

    def judge(self, n, env):
        """Name of the first check that forbids the execution, or None; and the flags it raises."""
        alg, env, flags = Algebra(n), dict(env), set()
        for statement in self.statements:
            if statement[0] == "let":
                _, name, parameter, body = statement
                env[name] = (parameter, body, dict(env)) if parameter else self.value(body, env, alg)
            elif statement[0] == "rec":
                _, name, _, body = statement
                env[name], before = alg.none, None
                while env[name] != before:
                    before = env[name]
                    env[name] = self.value(body, env, alg)
            else:
                _, kind, negated, flag, what, name = statement
                if self.holds(kind, self.value(what, env, alg), alg) != negated:
                    if flag:
                        flags.add(name)
                elif not flag:
                    return name, flags
        return None, flags
