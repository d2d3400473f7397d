"""The allocator's choice: a number nobody has (claims.md, Patterns: "hands out numbers nobody else gets")."""

from __future__ import annotations

from collections.abc import Iterable


def lowest_free(taken: Iterable[int], first: int, last: int) -> int | None:
    """The lowest number in `first`..`last` (both included) that is not taken; None when all are.

    Costs the length of `taken`, not of the range.
    """
    used = set(taken)
    number = first
    while number in used:
        number += 1
    return number if number <= last else None
