"""Do two patterns have a path in common? Exactly, as languages, whether or not the path exists.

Rule's source: claims.md, Patterns ("Overlap is exact"), and concurrency.md, "Ground is a set with
subtraction".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .automaton import BUDGET, find_path
from .patterns import Pattern, ancestors, normal_path
from .shape import DEEP, Shape, Tail


def overlaps(a: Pattern, b: Pattern) -> bool:
    """Whether some path matches both. Exact, symmetric, polynomial in the lengths."""
    if not comparable(a.prefix, b.prefix):
        return False
    if a.plain:
        # Plain patterns cover everything below their prefix, so comparable prefixes are enough.
        return b.plain or _plain_meets(a, b)
    if a.exact and b.exact:
        return a.prefix == b.prefix
    return _plain_meets(b, a) if b.plain else _globs_meet(a.shape, b.shape)


def comparable(one: str, other: str) -> bool:
    """Whether one prefix is the other or an ancestor of it."""
    if len(one) > len(other):
        one, other = other, one
    return not one or (other.startswith(one) and (len(one) == len(other) or other[len(one)] == "/"))


def meets(
    a: Pattern,
    a_except: Sequence[Pattern],
    b: Pattern,
    b_except: Sequence[Pattern],
    *,
    budget: int = BUDGET,
) -> bool:
    """Whether some path is in `a` but none of `a_except`, and in `b` but none of `b_except`.

    Exact within `budget` (automaton states, see `automaton.find_path`). Past it the answer is True: a
    conflict too many can be waited out, a conflict too few is two agents in one file.
    """
    if not overlaps(a, b):
        return False
    if not a_except and not b_except:
        return True
    # An exception nearly always meets its own side, so it is asked about the other side first.
    relevant = [e for e in a_except if overlaps(e, b) and overlaps(e, a)]
    relevant += [e for e in b_except if overlaps(e, a) and overlaps(e, b)]
    if not relevant:
        return True
    if any(_surely_contains(e, a) or _surely_contains(e, b) for e in relevant):
        return False
    if any(_sampled(x, y, relevant) for x, y in ((a, b), (b, a))):
        return True
    must = (a.shape,) if a == b else (a.shape, b.shape)
    return find_path(must, [e.shape for e in dict.fromkeys(relevant)], budget=budget) is not False


def covers_path(pattern: Pattern, excepts: Sequence[Pattern], path: str) -> bool:
    """Whether `path` is in the pattern and in none of its exceptions."""
    return pattern.matches(path) and not any(e.matches(path) for e in excepts)


def contains(outer: Pattern, inner: Pattern, *, budget: int = BUDGET) -> bool:
    """Whether every path of `inner` is in `outer`.

    Exact within `budget`; past it False, so that nothing is taken for covered unproved.
    """
    if _surely_contains(outer, inner):
        return True
    if not overlaps(outer, inner):
        return False
    return find_path((inner.shape,), (outer.shape,), budget=budget) is False


def without_covered(patterns: Iterable[Pattern]) -> tuple[Pattern, ...]:
    """The patterns sorted by text, less those at or below a literal among them: they add nothing."""
    ordered = sorted(patterns, key=lambda p: (p.text, p.syntax.value, p.fold))
    literal = {p.prefix: p for p in reversed(ordered) if p.literal}
    return tuple(
        p
        for p in ordered
        if literal.get(p.prefix, p) is p and not any(above in literal for above in ancestors(p.prefix))
    )


def _sampled(a: Pattern, b: Pattern, excepts: Sequence[Pattern]) -> bool:
    """Whether the sample path of `a` already shows that something is left; False shows nothing.

    Exceptions mostly are files somebody holds, and their number is what makes the automaton wide.
    """
    path = a.shape.sample
    if normal_path(path, fold=a.fold) != path:
        return False  # put together from characters that compose or fold: not a path as patterns compare it
    return (a is b or b.matches(path)) and not any(e.matches(path) for e in excepts)


def _surely_contains(outer: Pattern, inner: Pattern) -> bool:
    """`contains` for the cheap cases: equal patterns, and a plain `outer` at or above the prefix of
    `inner`.
    """
    if outer == inner:
        return True
    if not outer.plain or len(outer.prefix) > len(inner.prefix) or not comparable(outer.prefix, inner.prefix):
        return False
    if outer.literal or len(outer.prefix) < len(inner.prefix):
        return True
    return not (inner.literal or inner.exact)  # which cover the directory itself; the others only what is below


def _plain_meets(plain: Pattern, glob: Pattern) -> bool:
    """Their prefixes are comparable; `glob` may be a single file."""
    shared = len(glob.prefix)
    if len(plain.prefix) <= shared:
        # All that a glob covers lies strictly below its own prefix; a file is its prefix.
        return not glob.exact or plain.literal or len(plain.prefix) < shared
    names = plain.prefix[shared + 1 if shared else 0 :].split("/")
    return glob.shape.meets_below(names, itself=plain.shape.tail is Tail.SELF_OR_BELOW)


def _globs_meet(one: Shape, other: Shape) -> bool:
    """Walk both rows of segments at once; each pair of positions is visited once (at most 66 x 66)."""
    a, b = one.items, other.items
    shared = min(one.depth, other.depth)  # the prefixes are comparable: so far both say the same
    start = (shared, shared)
    goal = (len(a), len(b))
    seen = {start}
    stack = [start]
    while stack:
        i, j = at = stack.pop()
        if at == goal:
            return True
        steps = []
        mine = a[i] if i < len(a) else DEEP
        theirs = b[j] if j < len(b) else DEEP
        if i < len(a) and mine is DEEP:
            steps += [(i + 1, j), (i, j + 1)]  # it ends here, or takes one more of the other's
        if j < len(b) and theirs is DEEP:
            steps += [(i, j + 1), (i + 1, j)]
        if mine is not DEEP and theirs is not DEEP and mine.meets(theirs):
            steps.append((i + 1, j + 1))
        for step in steps:
            if step not in seen and step[0] <= len(a) and step[1] <= len(b):
                seen.add(step)
                stack.append(step)
    return False
