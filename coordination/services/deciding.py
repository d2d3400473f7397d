"""What stands in the way of a request: the engine's decision over what the store found.

Everything here runs inside the caller's transaction, after its locks.
"""

from uuid import UUID

from coordination.engine import queue as line
from coordination.engine.decide import Decision, Wanted, decide
from coordination.engine.ground import written
from coordination.engine.modes import Urgency, level
from coordination.engine.queue import Entry
from coordination.engine.waits import find_cycle, waits_for
from coordination.store import queue
from coordination.store.scenes import Scene, entries_whole, scene_around
from tenants.db import Transaction

NEWCOMER = 1 << 62  # arrives after everybody who waits
ALL = 1 << 62  # conflicts: where each counts, not only those that are told


class WaitGraph:
    """Who waits for whom, read as far as a question needs it. An edge runs to live holders and to the earlier
    entries that keep somebody waiting; a holder needs all of what it waits for (concurrency.md, "Deadlock").

    Circles are made of edges to holders only: an earlier entry whose holder waits for somebody does not go before that
    one (``judge``), so an edge to an entry never closes a circle that stays closed.
    """

    def __init__(self, tx: Transaction, project_id: UUID) -> None:
        self._tx = tx
        self._project_id = project_id
        self._read: set[str] = set()
        self._edges: dict[str, set[str]] = {}
        self._to_holders: dict[str, set[str]] = {}
        # (who waits, for whom) -> (the entry, what it wants, what the other has)
        self.stories: dict[tuple[str, str], tuple[str, str, str]] = {}
        self.entries: dict[str, Entry] = {}

    def add(self, waiting: str, decision: Decision, entry_id: str = "") -> None:
        """Add the edges of one request that was not granted."""
        for conflict in decision.conflicts:
            other = conflict.standing.holder
            self._edges.setdefault(waiting, set()).add(other)
            if conflict.standing.kind == "claim":
                self._to_holders.setdefault(waiting, set()).add(other)
                self.stories.setdefault(
                    (waiting, other), (entry_id, written(conflict.wanted.pattern), written(conflict.held.pattern))
                )

    def reaches(self, start: str, target: str) -> bool:
        """Whether ``start`` waits for ``target``, directly or through others."""
        self._read_from({start})
        return waits_for(start, target, self._edges)

    def circle(self, start: str) -> list[str] | None:
        """The holders on a circle through ``start``, if there is one."""
        self._read_from(set(self._edges.get(start, ())) | {start})
        return find_cycle(start, self._to_holders)

    def _read_from(self, holders: set[str]) -> None:
        frontier = holders - self._read
        while frontier:
            self._read |= frontier
            rows = queue.waiting(self._tx, self._project_id, holders=[UUID(holder) for holder in frontier])
            rows = [row for row in rows if not row["overdue"] and not row["waiter_dead"]]
            entries = entries_whole(self._tx, rows)
            scene = scene_around(self._tx, entries)
            reached: set[str] = set()
            for entry in entries:
                self.entries[entry.id] = entry
                reserved = [e for e in scene.entries if line.goes_before(e, entry) and line.reserves(e)]
                ahead = line.blocking_entries(_wanted(entry), _rank(entry), reserved)
                decision = decide(_wanted(entry), [*scene.live, *ahead], limit=ALL)
                self.add(entry.holder, decision, entry.id)
                reached |= {conflict.standing.holder for conflict in decision.conflicts}
            frontier = reached - self._read


def _wanted(entry: Entry) -> Wanted:
    return Wanted(entry.holder, entry.mode, entry.grounds)


def _rank(entry: Entry) -> tuple[int, int]:
    return level(entry.urgency, entry.waited), entry.arrival


def judge(
    tx: Transaction,
    project_id: UUID,
    wanted: Wanted,
    scene: Scene,
    *,
    urgency: Urgency = Urgency.NORMAL,
    waited: float = 0.0,
    arrival: int = NEWCOMER,
) -> Decision:
    """Decide a request against live claims and against whoever is before it in the queue, so nobody barges.

    Used by every decision: claim, check, the drain's steps.
    """
    decision = decide(wanted, scene.live)
    rank = (level(urgency, waited), arrival)
    before = line.blocking_entries(wanted, rank, scene.entries, ready=frozenset(e.id for e in scene.entries))
    if not decision.granted or not before:
        return decision
    meeting = {conflict.standing.id for conflict in decide(wanted, before, limit=ALL).conflicts}
    if not meeting:
        return decision
    graph = WaitGraph(tx, project_id)
    blockers = line.blocking_entries(
        wanted,
        rank,
        [entry for entry in scene.entries if entry.id in meeting],
        ready=_ready(tx, project_id, meeting),
        overtakes=lambda holder, entry: graph.reaches(entry.holder, holder),
    )
    return decide(wanted, [*scene.live, *blockers]) if blockers else decision


def keeps_waiting(wanted: Wanted, scene: Scene) -> bool:
    """Whether somebody waits for this ground, so that granting it adds edges to the wait graph."""
    everybody = frozenset(entry.id for entry in scene.entries)
    others = line.blocking_entries(wanted, (-1, NEWCOMER), scene.entries, ready=everybody)
    return not decide(wanted, others).granted


def _ready(tx: Transaction, project_id: UUID, entry_ids: set[str]) -> frozenset[str]:
    """Which of these waiting entries could be granted this moment: passing them would be barging."""
    rows = queue.waiting(tx, project_id, ids=[UUID(entry_id) for entry_id in entry_ids])
    entries = entries_whole(tx, rows)
    return frozenset(line.plan(entries, scene_around(tx, entries).live))
