"""Judging a recorded history: did claims behave as locks do, whatever order the calls really ran in?

Every call has the moments it was begun and answered, by one clock for all processes of a machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True)
class Hold:
    """Ground that was had: from between ``asked`` and ``granted`` to between ``released`` and ``gone``."""

    who: str
    path: str
    fence: int
    asked: int
    granted: int
    released: int
    gone: int


@dataclass(frozen=True)
class Refusal:
    """Ground that was not had."""

    who: str
    path: str
    asked: int
    answered: int


def meet(one: str, other: str) -> bool:
    """Whether two of the paths of these tests are one ground: literals, and ``directory/**``."""
    one, other = one.removesuffix("/**"), other.removesuffix("/**")
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def wrongs(holds: Sequence[Hold], refusals: Sequence[Refusal]) -> list[str]:
    """What no order of the calls could explain; empty for a history of locks that work."""
    found = []
    for one, other in combinations(sorted(holds, key=lambda hold: hold.granted), 2):
        if not meet(one.path, other.path) or one.who == other.who:
            continue
        if other.granted < one.released:
            found.append(f"both held at a time: {one} {other}")
        elif one.gone < other.asked and one.fence >= other.fence:
            found.append(f"fences do not rise: {one} {other}")
    for refusal in refusals:
        if not any(
            meet(hold.path, refusal.path)
            and hold.who != refusal.who
            and hold.asked <= refusal.answered
            and hold.gone >= refusal.asked
            for hold in holds
        ):
            found.append(f"refused with nothing in the way: {refusal}")
    return found
