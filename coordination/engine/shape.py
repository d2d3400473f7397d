"""The compiled form of a pattern: its segments, what may follow them, and matchers built on demand.

Rule's source: claims.md, Patterns. A path is one or more non-empty segments joined by `/`; a shape is a set
of paths.
"""

from __future__ import annotations

import enum
import re

from .segment import Segment, Wild

# A whole-segment `**`: zero or more segments.
DEEP = None
Item = Segment | None

# Stands for a name nobody gives: private use, without case or composition.
FRESH = "\ue000"

_ANY_NAME = Segment((Wild.STAR,))


class Tail(enum.Enum):
    """What a pattern covers beyond the paths its segments spell."""

    EXACT = "exact"  # those paths only (globs, and `file:`)
    SELF_OR_BELOW = "self_or_below"  # and all that lies below (literals)
    BELOW = "below"  # only what lies below (a trailing `/` or `/**`)


class Shape:
    """Segments plus tail.

    Attributes:
        prefix: the leading literal segments joined by `/` ('' for none).
        wild: the segments after them, from the first with a wildcard on; `DEEP` for `**`, never two in a row
            and never last before a `BELOW` tail.
        tail: what follows.
    """

    __slots__ = ("_items", "_matcher", "_meeter", "_sample", "_segments", "prefix", "tail", "wild")

    def __init__(self, prefix: str, wild: tuple[Item, ...], tail: Tail) -> None:
        self.prefix, self.wild, self.tail = prefix, wild, tail
        self._sample: str | None = None
        self._segments: tuple[Item, ...] | None = None
        self._items: tuple[Item, ...] | None = None
        self._matcher: re.Pattern[str] | None = None
        self._meeter: re.Pattern[str] | None = None

    @property
    def depth(self) -> int:
        """How many segments the prefix has."""
        return self.prefix.count("/") + 1 if self.prefix else 0

    @property
    def segments(self) -> tuple[Item, ...]:
        """All the segments, the literal ones of the prefix first, without the tail."""
        if self._segments is None:
            literal = self.prefix.split("/") if self.prefix else []
            self._segments = (*(Segment(tuple(name)) for name in literal), *self.wild)
        return self._segments

    @property
    def items(self) -> tuple[Item, ...]:
        """Segments with the tail spelled out, so that `DEEP` is the only thing that spans segments."""
        if self._items is None:
            below: tuple[Item, ...] = (_ANY_NAME, DEEP) if self.tail is Tail.BELOW else (DEEP,)
            self._items = self.segments if self.tail is Tail.EXACT else (*self.segments, *below)
        return self._items

    @property
    def sample(self) -> str:
        """One covered path that others hardly name: wildcards are filled with a private character."""
        if self._sample is None:
            names = [FRESH if segment is DEEP else segment.sample(FRESH) for segment in self.segments]
            self._sample = "/".join([*names, FRESH] if self.tail is Tail.BELOW else names)
        return self._sample

    @property
    def matcher(self) -> re.Pattern[str]:
        """Matches (`.match`) exactly the paths covered. Linear stars, no catastrophic backtracking."""
        if self._matcher is None:
            self._matcher = re.compile(_path_regex(self), re.DOTALL)
        return self._matcher

    @property
    def meeter(self) -> re.Pattern[str]:
        """Matches a literal `q` when the path `q` or something below it is covered."""
        if self._meeter is None:
            self._meeter = re.compile(_meeting_regex(self), re.DOTALL)
        return self._meeter

    def meets_below(self, names: list[str], *, itself: bool) -> bool:
        """Whether something strictly below the path of prefix and `names` (or, with `itself`, it) is covered.

        What `meeter` answers, without compiling: for a pattern that is asked once or twice.
        """
        wild = self.wild
        for at, name in enumerate(names):
            if at == len(wild):
                return self.tail is not Tail.EXACT
            segment = wild[at]
            if segment is DEEP:
                return True  # `**` swallows the rest, and what it still needs can lie below
            if not segment.accepts(name):
                return False
        return len(names) < len(wild) or self.tail is not Tail.EXACT or itself


def _path_regex(shape: Shape) -> str:
    """Runs of segments between `**` have a fixed number of segments, so the leftmost match of each but the
    last is
    never worse: it is taken atomically."""
    runs: list[list[Segment]] = [[]]
    for segment in shape.segments:
        if segment is DEEP:
            runs.append([])
        else:
            runs[-1].append(segment)
    deep = "(?:[^/]++/)*?"
    written = ["/".join(segment.regex() for segment in run) for run in runs]
    first, *rest = written
    if shape.tail is Tail.BELOW:
        lead = first + "/" if first else ""
        return lead + "".join(f"(?>{deep}{run}/)" for run in rest) + r".+\Z"
    if not rest:
        return first + (r"(?:/.+)?\Z" if shape.tail is Tail.SELF_OR_BELOW else r"\Z")
    lead = first + "/" if first else ""
    return lead + "".join(f"(?>{deep}{run}/)" for run in rest[:-1]) + deep + rest[-1] + r"\Z"


def _meeting_regex(shape: Shape) -> str:
    """Nested options, one per segment up to the first `**`: `q` may stop after any of them."""
    segments = shape.segments
    until = segments.index(DEEP) if DEEP in segments else len(segments)
    if until < len(segments) or shape.tail is not Tail.EXACT:
        inner = r"(?:/.+)?\Z" if until else r".+\Z"
    else:
        inner = r"\Z"
    for at in range(until - 1, -1, -1):
        segment = segments[at]
        assert segment is not DEEP
        written = segment.regex()
        inner = written + inner if at == 0 else rf"(?:/{written}{inner}|\Z)"
    return inner
