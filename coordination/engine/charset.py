"""Sets of characters as code point ranges, and the case fold patterns are compared by.

Rule's source: claims.md, Patterns ("NFC of the one-to-one case fold").
"""

from __future__ import annotations

import functools
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

LAST = 0x10FFFF
SLASH = 0x2F
# No character above this one has case (Unicode 15); scanning the rest would cost a hook 100 ms. Tested.
_CASED_BELOW = 0x20000

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class CharSet:
    """A set of characters, never containing `/`.

    Attributes:
        ranges: inclusive code point ranges, sorted, disjoint, not adjacent.
    """

    ranges: Ranges

    def __contains__(self, char: str) -> bool:
        """Whether the one-character string is in the set."""
        code = ord(char)
        at = bisect_right(self.ranges, (code, LAST))
        return at > 0 and self.ranges[at - 1][1] >= code

    def meets(self, other: CharSet) -> bool:
        """Whether some character is in both."""
        i = j = 0
        mine, theirs = self.ranges, other.ranges
        while i < len(mine) and j < len(theirs):
            if mine[i][1] < theirs[j][0]:
                i += 1
            elif theirs[j][1] < mine[i][0]:
                j += 1
            else:
                return True
        return False


def charset(ranges: Iterable[tuple[int, int]], *, negated: bool = False, fold: bool = False) -> CharSet:
    """A class `[...]` as a set.

    Args:
        ranges: inclusive code point ranges in any order, possibly overlapping.
        negated: the class was written `[!...]` or `[^...]`.
        fold: compare by the case fold: the set then holds folded characters only, since no folded path has
            others.
    """
    members = _merge(ranges)
    if fold:
        images = [(new, new) for old, new in _folds() if _has(members, old)]
        members = _subtract(_merge([*members, *images]), _foldable())
    if negated:
        members = _subtract(((0, LAST),), members)
        if fold:
            members = _subtract(members, _foldable())
    return CharSet(_subtract(members, ((SLASH, SLASH),)))


def fold_text(text: str) -> str:
    """`text` (NFC) under the one-to-one case fold, NFC again: how case-insensitive repositories compare.

    A character whose fold is longer than one (`ß`) stays as it is, so that `?` keeps counting characters.
    """
    if text.isascii():
        return text.lower()
    folded = "".join([one if len(one := char.casefold()) == 1 else char for char in text])
    return unicodedata.normalize("NFC", folded)


def _merge(ranges: Iterable[tuple[int, int]]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _subtract(ranges: Ranges, gone: Ranges) -> Ranges:
    kept: list[tuple[int, int]] = []
    for low, high in ranges:
        start = low
        # The first range gone that ends at or after `low`; ends rise with starts, since ranges are disjoint.
        at = bisect_left(gone, low, key=lambda pair: pair[1])
        while at < len(gone) and gone[at][0] <= high:
            if gone[at][0] > start:
                kept.append((start, gone[at][0] - 1))
            start = gone[at][1] + 1
            at += 1
        if start <= high:
            kept.append((start, high))
    return tuple(kept)


def _has(ranges: Ranges, code: int) -> bool:
    at = bisect_right(ranges, (code, LAST))
    return at > 0 and ranges[at - 1][1] >= code


@functools.cache
def _folds() -> tuple[tuple[int, int], ...]:
    """(character, its fold) for every character the fold changes, by code point."""
    pairs = []
    for code in range(_CASED_BELOW):
        folded = chr(code).casefold()
        if len(folded) == 1 and ord(folded) != code:
            pairs.append((code, ord(folded)))
    return tuple(pairs)


@functools.cache
def _foldable() -> Ranges:
    return _merge((old, old) for old, _ in _folds())
