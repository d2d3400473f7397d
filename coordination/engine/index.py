"""An index of held ground: what could meet a wanted ground is found by prefix, not by looking at it all.

Ground that meets has comparable prefixes (patterns.Pattern.prefix), so candidates are the held grounds whose
prefix is an ancestor of mine (a few dictionary look-ups), is mine, or lies below it (one range of a sorted
list).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from .ground import Ground
from .overlap import meets, overlaps
from .patterns import Pattern, ancestors

T = TypeVar("T")

# From this many candidates on, compiling a regular expression for a wanted glob is cheaper than walking
# segments.
_MANY_HELD = 64
# From this many exceptions on, looking up those that could matter is cheaper than asking each.
_MANY_EXCEPTIONS = 8


class PrefixIndex(Generic[T]):
    """Items by literal prefix."""

    def __init__(self) -> None:
        self._at: dict[str, list[T]] = {}
        self._sorted: list[str] | None = None

    def add(self, prefix: str, item: T) -> None:
        """Enter `item` at `prefix`."""
        here = self._at.get(prefix)
        if here is not None:
            here.append(item)
            return
        self._at[prefix] = [item]
        if self._sorted is not None:
            insort(self._sorted, prefix)

    def above(self, prefix: str) -> list[T]:
        """Every item whose prefix is `prefix` or an ancestor of it, shallow first: what could cover that path."""
        found: list[T] = []
        for above in (*ancestors(prefix), prefix):
            found += self._at.get(above, ())
        return found

    def near(self, prefix: str) -> list[T]:
        """Every item whose prefix is `prefix`, an ancestor of it, or below it."""
        if not prefix:
            return [item for here in self._at.values() for item in here]
        found = self.above(prefix)
        if self._sorted is None:
            self._sorted = sorted(self._at)
        # In code point order what lies below `prefix` starts with it and `/`, and the character after `/` is
        # `0`.
        first = bisect_left(self._sorted, prefix + "/")
        for below in self._sorted[first : bisect_left(self._sorted, prefix + "0", first)]:
            found += self._at[below]
        return found


class GroundIndex(Generic[T]):
    """Held grounds, each with an item of the caller's (what holds it)."""

    def __init__(self) -> None:
        self._roots: dict[str, PrefixIndex[tuple[Ground, T]]] = {}

    def add(self, ground: Ground, item: T) -> None:
        """Enter `item` as holding `ground`."""
        root = self._roots.get(ground.root)
        if root is None:
            root = self._roots[ground.root] = PrefixIndex()
        root.add(ground.pattern.prefix, (ground, item))

    def meeting(self, wanted: Ground) -> Iterator[tuple[Ground, T]]:
        """Every held ground that meets `wanted`, with its item, in no promised order."""
        root = self._roots.get(wanted.root)
        if root is None:
            return
        pattern = wanted.pattern
        near = root.near(pattern.prefix)
        many = len(near) >= _MANY_HELD and not (pattern.plain or pattern.exact)
        bulk = pattern.shape.meeter.match if many else None
        single = pattern.shape.matcher.match if many else None
        excepts = _exceptions_near(wanted.excepts)
        for held, item in near:
            other = held.pattern
            if wanted.excepts or held.excepts:
                hit = meets(pattern, excepts(other.prefix), other, held.excepts)
            elif pattern.plain and other.plain:
                hit = True  # the prefixes are comparable, or it would not be near
            elif bulk is not None and other.literal:
                hit = bulk(other.prefix) is not None
            elif single is not None and other.exact:
                hit = single(other.prefix) is not None
            else:
                hit = overlaps(pattern, other)
            if hit:
                yield held, item


def _exceptions_near(excepts: tuple[Pattern, ...]) -> Callable[[str], Sequence[Pattern]]:
    """A look-up of the exceptions that could matter at a prefix: a wide `narrow_to` has thousands."""
    if len(excepts) < _MANY_EXCEPTIONS:
        return lambda prefix: excepts
    index: PrefixIndex[Pattern] = PrefixIndex()
    for pattern in excepts:
        index.add(pattern.prefix, pattern)
    return index.near
