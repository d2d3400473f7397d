"""Rows in the engine's words: ground, standings, queue entries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from coordination.engine.decide import Standing, Wanted, decide
from coordination.engine.ground import Ground, read
from coordination.engine.modes import Mode, Urgency, compatible
from coordination.engine.patterns import Syntax, parse
from coordination.engine.queue import Entry
from coordination.store import grounds
from coordination.store.grounds import Place
from tenants.db import Row, Transaction


def ground_of(row: Row) -> Ground:
    """One ground row (root, pattern, exact, fold, scope, excepts) as the engine's ground.

    Stored text is in scope syntax.
    """
    fold = row["fold"]
    pattern = parse(row["pattern"], syntax=Syntax.SCOPE, fold=fold, exact=row["exact"])[0]
    excepts = tuple(taken for text in row["excepts"] or () for taken in read(text, fold=fold))
    return Ground(row["root"], pattern, excepts, row["scope"])


@dataclass(slots=True)
class Scene:
    """What others hold and wait for around some ground. ``ends`` says when each claim ends if its
    holder is not heard of any more, in seconds since 1970 by the database's clock."""

    live: list[Standing] = field(default_factory=list)
    lapsed: list[Standing] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)


def hostile_modes(mode: Mode) -> list[str]:
    """The held modes that a wanted mode cannot stand beside."""
    return [str(held) for held in Mode if not compatible(held, mode)]


def read_scene(rows: Iterable[Row]) -> Scene:
    """Candidates (store.grounds.candidates) as standings and entries."""
    scene = Scene()
    seen: set[str] = set()
    by_owner: dict[str, list[Row]] = {}
    for row in rows:
        if row["id"] not in seen:
            seen.add(row["id"])
            by_owner.setdefault(row["claim_id"] or row["entry_id"], []).append(row)
    for owner, owned in by_owner.items():
        first = owned[0]
        ground = tuple(ground_of(row) for row in owned)
        if first["claim_id"] is None:
            if first["live"]:
                scene.entries.append(_entry(owner, first, ground))
            continue
        standing = Standing(owner, "claim", first["holder_id"], Mode(first["mode"]), ground, first["narrowable"])
        if first["live"]:
            scene.live.append(standing)
            scene.ends[standing.id] = first["lapses_at"]
        else:
            scene.lapsed.append(standing)
    return scene


def _entry(entry_id: str, row: Row, ground: tuple[Ground, ...]) -> Entry:
    return Entry(
        entry_id,
        str(row["holder_id"]),
        Mode(row["mode"]),
        ground,
        Urgency(row["urgency"]),
        row["arrival"],
        row["waited"],
    )


def entries_whole(tx: Transaction, rows: Sequence[Row]) -> list[Entry]:
    """Queue entries (store.queue's rows) with all of their ground."""
    of_entry: dict[UUID, list[Ground]] = {}
    for row in grounds.of_entries(tx, [row["id"] for row in rows]):
        of_entry.setdefault(row["entry_id"], []).append(ground_of(row))
    return [_entry(str(row["id"]), row, tuple(of_entry.get(row["id"], ()))) for row in rows]


def scene_around(tx: Transaction, entries: Sequence[Entry]) -> Scene:
    """What is held and waited for around all the ground of some entries."""
    places = {Place(g.root, g.pattern.prefix) for entry in entries for g in entry.grounds}
    if not places:
        return Scene()
    rows = grounds.candidates(tx, places, holder_id=None, hostile=[str(mode) for mode in Mode]).fetchall()
    return read_scene(rows)


def waited_for(tx: Transaction, rows: Sequence[Row]) -> dict[UUID, list[UUID]]:
    """For each queue entry, the live claims that are in its way."""
    entries = entries_whole(tx, rows)
    scene = scene_around(tx, entries)
    found = {}
    for entry in entries:
        decision = decide(Wanted(entry.holder, entry.mode, entry.grounds), scene.live)
        found[UUID(entry.id)] = [UUID(claim) for claim in dict.fromkeys(c.standing.id for c in decision.conflicts)]
    return found
