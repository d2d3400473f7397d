"""The queue's rules: who goes first, who may pass whom, and what a drain can grant (concurrency.md, Queue).

Waiting times come in as seconds; there is no clock here. `boost_seconds` is the age boost throughout: an
entry counts one level higher for each that it has waited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from .decide import Standing, Verdict, Wanted, judge
from .ground import Ground
from .index import GroundIndex
from .modes import Mode, Urgency, boosts, compatible, level

BOOST_SECONDS = 60

Overtakes = Callable[[str, "Entry"], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """One waiting request.

    Attributes:
        id: unique in the queue.
        holder: root instance that waits.
        mode: wanted.
        grounds: wanted, all or nothing.
        urgency: as asked; `level` ages it.
        arrival: rises with every enqueue.
        waited: seconds so far.
        narrowable: becomes a property of the claim when granted.
    """

    id: str
    holder: str
    mode: Mode
    grounds: tuple[Ground, ...]
    urgency: Urgency = Urgency.NORMAL
    arrival: int = 0
    waited: float = 0.0
    narrowable: bool = True


def nobody_overtakes(holder: str, entry: Entry) -> bool:
    """The default for `overtakes`: nobody holds what another waits for."""
    return False


def rank(entry: Entry, boost_seconds: float = BOOST_SECONDS) -> tuple[int, int, str]:
    """Sort key, first to be served first: effective level downwards, then arrival; id makes it total."""
    return -level(entry.urgency, entry.waited, boost_seconds), entry.arrival, entry.id


def order(entries: Iterable[Entry], boost_seconds: float = BOOST_SECONDS) -> list[Entry]:
    """The entries in the order they are served."""
    return sorted(entries, key=lambda entry: rank(entry, boost_seconds))


def goes_before(a: Entry, b: Entry, boost_seconds: float = BOOST_SECONDS) -> bool:
    """Whether `a` is served before `b`."""
    return rank(a, boost_seconds) < rank(b, boost_seconds)


def reserves(entry: Entry, boost_seconds: float = BOOST_SECONDS) -> bool:
    """Whether the entry keeps others off ground it has not got: from its first age boost on.

    Before that one waiting `**` would freeze a repository; without ageing (0) nothing ever reserves.
    """
    return boosts(entry.waited, boost_seconds) > 0


def plan(
    entries: Iterable[Entry],
    claims: Iterable[Standing],
    *,
    boost_seconds: float = BOOST_SECONDS,
    overtakes: Overtakes = nobody_overtakes,
) -> list[str]:
    """Ids of the entries that can be granted now, in order, each whole or not at all.

    Every entry granted stands as a claim for those after it. One that stays waiting stands before those after
    it only if it reserves; otherwise what it does not get may be passed on.

    Args:
        entries: waiting; any order.
        claims: live.
        boost_seconds: the age boost.
        overtakes: (holder of a later entry, earlier entry) -> whether the earlier one waits, directly or
            through others, for that holder. It then does not stand before it: making it wait would be a
            deadlock.
    """
    held: GroundIndex[Standing] = GroundIndex()
    waiting: GroundIndex[tuple[Entry, Standing]] = GroundIndex()
    for claim in claims:
        for ground in claim.grounds:
            held.add(ground, claim)
    granted = []
    for entry in order(entries, boost_seconds):
        if not _blocked_by_claims(entry, held) and not _blocked_by_queue(entry, waiting, overtakes):
            granted.append(entry.id)
            for ground in entry.grounds:
                held.add(ground, _standing(entry, "claim"))
        elif reserves(entry, boost_seconds):
            for ground in entry.grounds:
                waiting.add(ground, (entry, _standing(entry, "queue_entry")))
    return granted


def blocking_entries(
    wanted: Wanted,
    level_arrival: tuple[int, int],
    entries: Iterable[Entry],
    *,
    ready: frozenset[str] = frozenset(),
    boost_seconds: float = BOOST_SECONDS,
    overtakes: Overtakes = nobody_overtakes,
) -> tuple[Standing, ...]:
    """The waiting entries that count as standing in the way of `wanted`, in the order they are served.

    Those of another holder and an incompatible mode that go before it, that either reserve or could be
    granted right now (passing them would be barging), and that do not wait for its holder. Ground is left to
    `decide`.

    Args:
        wanted: a newcomer's request, or a waiting one decided again.
        level_arrival: its effective level and arrival. Entries of the same level and arrival (itself) do not
            count.
        entries: waiting; any order.
        ready: ids that could be granted right now (`plan`).
        boost_seconds: the age boost.
        overtakes: as for `plan`.
    """
    mine = (-level_arrival[0], level_arrival[1])
    return tuple(
        _standing(entry, "queue_entry")
        for entry in order(entries, boost_seconds)
        if rank(entry, boost_seconds)[:2] < mine
        and entry.holder != wanted.holder
        and not compatible(entry.mode, wanted.mode)
        and (entry.id in ready or reserves(entry, boost_seconds))
        and not overtakes(wanted.holder, entry)
    )


def _standing(entry: Entry, kind: Literal["claim", "queue_entry"]) -> Standing:
    return Standing(entry.id, kind, entry.holder, entry.mode, entry.grounds, entry.narrowable)


def _blocked_by_claims(entry: Entry, held: GroundIndex[Standing]) -> bool:
    return any(
        _stops(entry, wanted, standing, ground) for wanted in entry.grounds for ground, standing in held.meeting(wanted)
    )


def _blocked_by_queue(entry: Entry, waiting: GroundIndex[tuple[Entry, Standing]], overtakes: Overtakes) -> bool:
    return any(
        _stops(entry, wanted, standing, ground) and not overtakes(entry.holder, earlier)
        for wanted in entry.grounds
        for ground, (earlier, standing) in waiting.meeting(wanted)
    )


def _stops(entry: Entry, wanted: Ground, standing: Standing, held: Ground) -> bool:
    if standing.holder == entry.holder:
        return False
    return judge(entry.mode, wanted, standing, held) is Verdict.CONFLICT
