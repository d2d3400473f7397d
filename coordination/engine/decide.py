"""The decision: may this be granted beside what is held and waited for? (claims.md, Decision)

A request is all or nothing; refusals are results, not exceptions. Everything the answer needs comes in as
arguments.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from .ground import Ground
from .index import GroundIndex
from .modes import Mode, compatible
from .overlap import meets, without_covered
from .patterns import Pattern

LIMIT = 50


@dataclass(frozen=True, slots=True)
class Standing:
    """Something that stands in the way: a live claim, or an earlier entry of the queue.

    Attributes:
        id: unique among standings of its kind.
        kind: which of the two.
        holder: root instance; one holder never conflicts with itself.
        mode: of the claim, or wanted by the entry.
        grounds: held, or waited for.
        narrowable: symbols may be taken out of it (rule 3).
    """

    id: str
    kind: Literal["claim", "queue_entry"]
    holder: str
    mode: Mode
    grounds: tuple[Ground, ...]
    narrowable: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: one request, granted whole or not at all."""

    holder: str
    mode: Mode
    grounds: tuple[Ground, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """One wanted ground against one ground of a standing."""

    wanted: Ground
    held: Ground
    standing: Standing


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer.

    Attributes:
        granted: nothing stands in the way.
        conflicts: by wanted scope, then id of the standing; at most as many as asked for.
        total: how many conflicts there are, listed or not.
        coexists: sorted ids of the claims that meet the wanted ground in a compatible mode.
        free: `narrow_to`: what was wanted, less the patterns it met; grounds with nothing left are dropped.
            The wanted grounds themselves when granted. Claiming it against the same standings is granted.
    """

    granted: bool
    conflicts: tuple[Conflict, ...]
    total: int
    coexists: tuple[str, ...]
    free: tuple[Ground, ...]


class Verdict(enum.Enum):
    """What becomes of a wanted ground and a held one that meet."""

    COEXIST = "coexist"
    CONFLICT = "conflict"


def decide(wanted: Wanted, standings: Iterable[Standing], *, limit: int = LIMIT) -> Decision:
    """Decide `wanted` against everything that stands. The order of `standings` does not matter.

    Args:
        wanted: the request.
        standings: live claims and the queue entries to be counted (queue.blocking_entries); one's own are
            passed over.
        limit: most conflicts listed.
    """
    index: GroundIndex[tuple[Standing, int]] = GroundIndex()
    for standing in standings:
        if standing.holder != wanted.holder:
            for at, held in enumerate(standing.grounds):
                index.add(held, (standing, at))
    coexists: set[str] = set()
    found: list[tuple[tuple[int, int, str, str, int], Ground, Ground, Standing]] = []
    for place, ground in enumerate(wanted.grounds):
        for held, (standing, at) in index.meeting(ground):
            if judge(wanted.mode, ground, standing, held) is Verdict.CONFLICT:
                found.append(((ground.scope, place, standing.id, standing.kind, at), ground, held, standing))
            elif standing.kind == "claim":
                coexists.add(standing.id)
    found.sort(key=lambda conflict: conflict[0])
    met: dict[int, set[Pattern]] = {}
    for key, _, held, _ in found:
        met.setdefault(key[1], set()).add(held.pattern)
    return Decision(
        granted=not found,
        conflicts=tuple(Conflict(ground, held, standing) for _, ground, held, standing in found[:limit]),
        total=len(found),
        coexists=tuple(sorted(coexists)),
        free=_free(wanted.grounds, met) if found else wanted.grounds,
    )


def judge(mode: Mode, wanted: Ground, standing: Standing, held: Ground) -> Verdict:
    """Rules 1 to 5 for two grounds of different holders that meet (rule 0 said they do). First match wins."""
    if compatible(standing.mode, mode):
        return Verdict.COEXIST
    return settle_symbols(wanted, standing, held) or Verdict.CONFLICT


def settle_symbols(wanted: Ground, standing: Standing, held: Ground) -> Verdict | None:
    """Rules 2 to 4 (auto-coexist, auto-narrow, file against symbols) go here; None leaves it to rule 5.

    Not decided on yet: until then a scope with symbols counts as its whole files, which can only refuse too
    much.
    """
    return None


def _free(grounds: tuple[Ground, ...], met: dict[int, set[Pattern]]) -> tuple[Ground, ...]:
    """The wanted grounds less what they met, keyed by their place; an exception of the held ground is not
    given back, as ground can be subtracted only once."""
    left = []
    for place, ground in enumerate(grounds):
        if place in met:
            excepts = without_covered(met[place].union(ground.excepts))
            if not meets(ground.pattern, excepts, ground.pattern, ()):
                continue
            left.append(replace(ground, excepts=excepts))
        else:
            left.append(ground)
    return tuple(left)
