"""Slow, obvious references for the engine. They share no code with it and read the pattern's text themselves.

`slow_matches` is the definition of the grammar (claims.md, Patterns), by recursion. `slow_meets` is an
explicit automaton over the alphabet `abc/`, built of sets of nodes, explored until it is exhausted: exact for
patterns that name no other character, since `c` stands for every character they do not name (patterns of the
tests leave it out). `file:` before a path makes it that path alone.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence

LETTERS = "abc"
ANY = frozenset(LETTERS)
FILE = "file:"

# A token: the letters it takes, and whether it repeats (a star).
Token = tuple[frozenset[str], bool]


def expand(text: str) -> list[str]:
    """Brace alternatives, innermost first. Test patterns have no escapes and no braces inside classes."""
    close = text.find("}")
    if close < 0:
        return [text]
    start = text.rindex("{", 0, close)
    return [
        done for one in text[start + 1 : close].split(",") for done in expand(text[:start] + one + text[close + 1 :])
    ]


def tokens(name: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(name):
        char = name[at]
        if char == "*":
            found.append((ANY, True))
        elif char == "?":
            found.append((ANY, False))
        elif char == "[":
            end = name.index("]", at)
            found.append((_members(name[at + 1 : end]), False))
            at = end
        else:
            found.append((frozenset(char), False))
        at += 1
    return found


def _members(inside: str) -> frozenset[str]:
    negated = inside[0] in "!^"
    inside = inside[negated:]
    if len(inside) == 3 and inside[1] == "-":
        inside = "".join(chr(c) for c in range(ord(inside[0]), ord(inside[2]) + 1))
    return ANY - set(inside) if negated else frozenset(inside)


@functools.cache
def slow_matches(text: str, path: str) -> bool:
    """The definition: is `path` covered by `text`?"""
    if text.startswith(FILE):
        return path == text.removeprefix(FILE)
    return any(_covers(one.split("/"), path.split("/")) for one in expand(text))


def _covers(names: list[str], path: list[str]) -> bool:
    if not any(special in name for name in names for special in "*?["):
        wanted = [name for name in names if name]
        below = path[: len(wanted)] == wanted
        return below and (len(path) > len(wanted) or names[-1] != "")
    if names[-1] == "":
        # A trailing slash: strictly below any directory the rest names, `**` naming its own directory as
        # well.
        return any(_spells(names[:-1], path[:cut]) for cut in range(len(path)))
    if names[-1] == "**":
        return any(_spells(names[:-1], path[:cut]) for cut in range(len(path)))
    return _spells(names, path)


def _spells(names: list[str], path: list[str]) -> bool:
    if not names:
        return not path
    if names[0] == "**":
        return any(_spells(names[1:], path[cut:]) for cut in range(len(path) + 1))
    return bool(path) and _names(tokens(names[0]), path[0]) and _spells(names[1:], path[1:])


def _names(row: Sequence[Token], name: str) -> bool:
    if not row:
        return not name
    letters, repeats = row[0]
    if repeats:
        return _names(row[1:], name) or (name != "" and name[0] in letters and _names(row, name[1:]))
    return name != "" and name[0] in letters and _names(row[1:], name[1:])


def all_paths(letters: str, longest_name: int, deepest: int) -> list[str]:
    """Every path over `letters` up to a name length and a depth."""
    names = ["".join(name) for size in range(1, longest_name + 1) for name in itertools.product(letters, repeat=size)]
    return ["/".join(path) for depth in range(1, deepest + 1) for path in itertools.product(names, repeat=depth)]


class _Nfa:
    """Nodes are numbers; `edges[node]` are (letters or '/', node); `free[node]` cost no letter."""

    def __init__(self, text: str) -> None:
        self.edges: dict[int, list[tuple[frozenset[str], int]]] = {}
        self.free: dict[int, list[int]] = {}
        self.count = 0
        self.accept: set[int] = set()
        self.starts = {self._pattern(one) for one in expand(text)}

    def node(self) -> int:
        self.count += 1
        self.edges[self.count], self.free[self.count] = [], []
        return self.count

    def _pattern(self, text: str) -> int:
        start = at = self.node()
        exact = text.startswith(FILE)
        text = text.removeprefix(FILE)
        names = text.split("/")
        plain = not any(special in text for special in "*?[")
        below = names[-1] in ("", "**")
        if below:
            names.pop()
        needs_slash = False
        for name in names:
            if needs_slash:
                at = self._edge(at, "/")
            needs_slash = name != "**"
            at = self._name(at, name) if needs_slash else self._deep(at)
        if below:
            if needs_slash:
                at = self._edge(at, "/")
            self._below(at)
        else:
            self.accept.add(at)
            if plain and not exact:
                self._below(self._edge(at, "/"))
        return start

    def _edge(self, at: int, letters: Iterable[str]) -> int:
        node = self.node()
        self.edges[at].append((frozenset(letters), node))
        return node

    def _name(self, at: int, name: str) -> int:
        row = tokens(name)
        if all(repeats for _, repeats in row):
            row = [(ANY, False), (ANY, True)]
        for letters, repeats in row:
            if repeats:
                node = self.node()
                self.free[at].append(node)
                self.edges[node].append((letters, node))
                at = node
            else:
                at = self._edge(at, letters)
        return at

    def _deep(self, at: int) -> int:
        node = self.node()
        self.free[at].append(node)
        inside = self._edge(node, ANY)
        self.edges[inside] += [(ANY, inside), (frozenset("/"), node)]
        return node

    def _below(self, at: int) -> None:
        inside = self._edge(at, ANY)
        self.edges[inside] += [(ANY, inside), (frozenset("/"), at)]
        self.accept.add(inside)

    def close(self, nodes: Iterable[int]) -> frozenset[int]:
        seen = set(nodes)
        stack = list(seen)
        while stack:
            for node in self.free[stack.pop()]:
                if node not in seen:
                    seen.add(node)
                    stack.append(node)
        return frozenset(seen)

    def step(self, nodes: frozenset[int], letter: str) -> frozenset[int]:
        return self.close(to for node in nodes for letters, to in self.edges[node] if letter in letters)


@functools.cache
def _nfa(text: str) -> _Nfa:
    return _Nfa(text)


def slow_meets(must: Sequence[str], never: Sequence[str] = ()) -> bool:
    """Is there a path in all of `must` and in none of `never`?"""
    machines = [_nfa(text) for text in (*must, *never)]
    start = tuple(machine.close(machine.starts) for machine in machines)
    seen = {start}
    stack = [start]
    while stack:
        state = stack.pop()
        inside = [bool(nodes & machine.accept) for nodes, machine in zip(state, machines, strict=True)]
        if all(inside[: len(must)]) and not any(inside[len(must) :]):
            return True
        for letter in (*LETTERS, "/"):
            step = tuple(m.step(nodes, letter) for nodes, m in zip(state, machines, strict=True))
            if step not in seen and all(step[: len(must)]):
                seen.add(step)
                stack.append(step)
    return False
