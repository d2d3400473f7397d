"""Serving the queue: whenever ground may have become free, each entry that could have it is decided again.

Each grant is a transaction of its own under its own locks, by the same engine and the same writing as a direct claim.
Every step may be repeated: a process that dies half way leaves the rest to any other that looks (concurrency.md,
"Queue").
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

from coordination import notify
from coordination.engine import queue as line
from coordination.engine.decide import Decision, Wanted, decide
from coordination.engine.modes import Mode, Urgency
from coordination.engine.queue import Entry
from coordination.engine.waits import find_cycle, victim
from coordination.services import deciding, granting
from coordination.services.acting import Acting
from coordination.services.deciding import WaitGraph
from coordination.services.granting import Terms
from coordination.services.placing import Placed
from coordination.store import grounds, instances, queue, scenes
from coordination.store.grounds import Place
from tenants import ids, ledger
from tenants.db import Row, Transaction, transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Actor, Principal
from tenants.problems import Problem

log = logging.getLogger(__name__)

_RENEW_EVERY_S = 5.0
# An entry counts while its waiter was renewed this recently; the process that holds it renews well within that.
WAITER_SECONDS = 15
_REMEMBERED = 10_000
_NOBODY = UUID(int=0)
Stream = tuple[UUID, UUID]


def system(team_id: UUID) -> Principal:
    """The platform itself, as the actor of what happens without anybody asking just then."""
    return Principal(team_id, "", Actor("system", "queue", "queue"), frozenset(Permission), door="worker")


def drain(team_id: UUID, project_id: UUID) -> dict[str, float]:
    """Decide the waiting entries of a project again, in order, and grant what is free. Breaks circles of waits that
    nobody's request closed, as when a claim that had lapsed is renewed.

    Answers, for each entry that still waits, in how many seconds what blocks it could lapse. Safe to run anywhere, any
    number of times, also at once.
    """
    with transaction(team_id, lean=True) as tx:
        rows = _tidy(tx, project_id, queue.waiting(tx, project_id))
        policy = _policy(tx, project_id)
        if not rows or policy is None or policy["frozen_at"] is not None:
            return {}
        entries = scenes.entries_whole(tx, rows)
        scene = scenes.scene_around(tx, entries)
        graph = WaitGraph(tx, project_id)
        ready = line.plan(entries, scene.live, overtakes=lambda holder, earlier: graph.reaches(earlier.holder, holder))
        lasting = {str(row["id"]): float(row["request"]["ttl_s"]) for row in rows}
        granted = {entry_id: lasting[entry_id] for entry_id in ready}
        waiting = [entry for entry in entries if entry.id not in granted]
        decisions = {e.id: decide(Wanted(e.holder, e.mode, e.grounds), scene.live, limit=deciding.ALL) for e in waiting}
        lapses = _lapses(waiting, decisions, scene, policy["now"].timestamp(), granted)
    for entry_id in ready:
        _grant_one(team_id, project_id, UUID(entry_id))
    for holder in _on_circles(waiting, decisions):
        _settle(team_id, project_id, UUID(holder))
    return lapses


def _on_circles(waiting: list[Entry], decisions: dict[str, Decision]) -> list[str]:
    edges: dict[str, set[str]] = {}
    for entry in waiting:
        blockers = {conflict.standing.holder for conflict in decisions[entry.id].conflicts}
        edges.setdefault(entry.holder, set()).update(blockers)
    return [holder for holder in edges if find_cycle(holder, edges)]


def _settle(team_id: UUID, project_id: UUID, holder_id: UUID) -> None:
    try:
        with transaction(team_id) as tx:
            grounds.lock_wait_graph(tx, project_id)
            break_circles(tx, project_id, holder_id)
    except Problem as problem:
        log.info("circle through %s not broken now: %s", holder_id, problem.code)


def _policy(tx: Transaction, project_id: UUID) -> Row | None:
    rows = instances.header(tx, project_id, _NOBODY, "").fetchall()
    return rows[0] if rows else None


def _lapses(
    waiting: list[Entry], decisions: dict[str, Decision], scene: scenes.Scene, now: float, granted: dict[str, float]
) -> dict[str, float]:
    """Seconds until the first claim in each entry's way could lapse, or until an age boost changes the order.

    ``granted`` are the entries that become claims now, with how long those last.
    """
    found = {}
    next_end = min(granted.values(), default=line.BOOST_SECONDS)
    for entry in waiting:
        ends = [scene.ends[c.standing.id] for c in decisions[entry.id].conflicts]
        boost = line.BOOST_SECONDS - entry.waited % line.BOOST_SECONDS
        soonest = min([end - now for end in ends] + [boost, next_end])
        found[entry.id] = max(0.02, soonest + 0.02)
    return found


def _tidy(tx: Transaction, project_id: UUID, rows: list[Row]) -> list[Row]:
    """Take out entries whose deadline passed or whose waiter died; what is left still waits."""
    overdue = [row["id"] for row in rows if row["overdue"]]
    dead = [row["id"] for row in rows if row["waiter_dead"] and not row["overdue"] and not row["keep"]]
    facts = []
    for state, gone, why in (
        ("expired", overdue, "its deadline passed"),
        ("cancelled", dead, "the process that held its connection died"),
    ):
        if gone:
            ended = queue.end(tx, gone, state=state, why=why)
            facts += [Fact(f"queue.{state}", "queue_entry", ids.show("que", e), {"why": why}) for e in ended]
    if facts:
        ledger.append(tx, system(tx.team_id), facts, project_id=project_id)
        keys = [f"que:{entry}" for entry in overdue + dead]
        tx.after_commit(lambda: notify.wake(*keys))
    out = set(overdue) | set(dead)
    for row in rows:
        if row["waiter_dead"] and row["keep"]:
            queue.set_waiter(tx, row["id"], seconds=None)
    return [row for row in rows if row["id"] not in out]


def _grant_one(team_id: UUID, project_id: UUID, entry_id: UUID) -> None:
    try:
        with transaction(team_id, lean=True) as tx:
            _grant_locked(tx, project_id, entry_id)
    except granting.TryAgain:
        drain_soon(team_id, project_id)
    except Problem as problem:
        if problem.status >= 500:  # busy: the sweep or the next release looks again
            log.info("queue entry %s not granted now: %s", entry_id, problem.code)
        else:
            _refuse(team_id, project_id, entry_id, problem)


def _refuse(team_id: UUID, project_id: UUID, entry_id: UUID, problem: Problem) -> None:
    """End an entry that may not be granted (its holder is at its limit, say): it would stop whoever is behind it."""
    why = (problem.detail or str(problem.code))[:200]
    with transaction(team_id) as tx:
        if queue.end(tx, [entry_id], state="cancelled", why=why):
            fact = Fact("queue.cancelled", "queue_entry", ids.show("que", entry_id), {"why": why})
            ledger.append(tx, system(team_id), [fact], project_id=project_id)
            tx.after_commit(lambda: notify.wake(f"que:{entry_id}"))
            tx.after_commit(lambda: drain_soon(team_id, project_id))


def _grant_locked(tx: Transaction, project_id: UUID, entry_id: UUID) -> None:
    grounds.lock_entries(tx, project_id, [entry_id])
    grounds.lock_wait_graph(tx, project_id)
    row = queue.find(tx, project_id, entry_id, lock=True)
    if row is None or row["state"] != "waiting" or row["overdue"] or (row["waiter_dead"] and not row["keep"]):
        return
    me = _waiting_instance(tx, project_id, row)
    entry = scenes.entries_whole(tx, [row])[0]
    places = [Place(ground.root, ground.pattern.prefix) for ground in entry.grounds]
    near = grounds.candidates(tx, places, holder_id=me.holder_id, hostile=scenes.hostile_modes(entry.mode))
    scene = scenes.read_scene(near.fetchall())
    wanted = Wanted(entry.holder, entry.mode, entry.grounds)
    decision = deciding.judge(
        tx,
        project_id,
        wanted,
        scene,
        urgency=Urgency(row["urgency"]),
        waited=row["waited"],
        arrival=row["arrival"],
    )
    if not decision.granted or me.policy["frozen_at"] is not None:
        return
    asked = row["request"]
    reason = asked["takeover_reason"] or "it waited for this ground"
    terms = Terms(**asked | {"mode": Mode(asked["mode"]), "takeover_reason": reason})
    placed = Placed(entry.grounds, row["scopes"], queue.lock_plan(tx, entry_id))
    offered = row["waiter_until"] is None or row["waiter_dead"]
    shown = granting.grant(tx, system(tx.team_id), project_id, me, placed, terms, scene, decision, offered=offered)
    claim_id = ids.parse("clm", shown["id"])
    queue.end(tx, [entry_id], state="granted", claim_id=claim_id)
    said = {"agent": me.agent, "claim": shown["id"], "waited_s": round(row["waited"], 3), "offered": offered}
    fact = Fact("queue.granted", "queue_entry", ids.show("que", entry_id), said, recipient=f"ins:{me.holder_id}")
    ledger.append(tx, system(tx.team_id), [fact], project_id=project_id, instance_id=me.instance_id)
    break_circles(tx, project_id, me.holder_id)
    tx.after_commit(lambda: notify.wake(f"que:{entry_id}"))


def _waiting_instance(tx: Transaction, project_id: UUID, row: Row) -> Acting:
    header = instances.header(tx, project_id, row["instance_id"], "").fetchall()[0]
    return Acting(row["instance_id"], row["holder_id"], header["agent_id"], header["agent_name"], header["now"], header)


def break_circles(tx: Transaction, project_id: UUID, holder_id: UUID) -> None:
    """A grant adds edges (others now wait for its holder). Where that closes a circle the weakest wait is given up.

    Under the wait graph's lock, taken before the grant.
    """
    while True:
        graph = WaitGraph(tx, project_id)
        circle = graph.circle(str(holder_id))
        if circle is None:
            return
        _give_up(tx, project_id, graph, circle)


def _give_up(tx: Transaction, project_id: UUID, graph: WaitGraph, circle: list[str]) -> None:
    on_circle = [
        graph.entries[graph.stories[(holder, circle[(at + 1) % len(circle)])][0]] for at, holder in enumerate(circle)
    ]
    given_up = victim(on_circle)
    why = f"waiting on would close a circle of {len(circle)} agents; the others go on"
    queue.end(tx, [UUID(given_up)], state="deadlocked", why=why)
    loser = next(entry.holder for entry in on_circle if entry.id == given_up)
    fact = Fact("deadlock.refused", "queue_entry", ids.show("que", UUID(given_up)), {"why": why}, f"ins:{loser}")
    ledger.append(tx, system(tx.team_id), [fact], project_id=project_id)
    tx.after_commit(lambda: notify.wake(f"que:{given_up}"))
    tx.after_commit(lambda: drain_soon(tx.team_id, project_id))  # what it kept for itself is free for others


class Soon:
    """Drains asked for by releases: each project at most once at a time, and once more if asked meanwhile.

    Projects take turns, and no team has more than half of the threads: a queue that is served all the time, or ground
    that is locked, holds up nobody else.
    """

    def __init__(self, work: Callable[[UUID, UUID], object], threads: int = 4) -> None:
        self._work = work
        self._per_team = max(1, threads // 2)
        self._lock = threading.Lock()
        self._asked: dict[Stream, bool] = {}  # waits or runs -> asked again since it began to run
        self._turn: deque[Stream] = deque()
        self._running: Counter[UUID] = Counter()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="drain")

    def ask(self, team_id: UUID, project_id: UUID) -> None:
        """Drain a project; returns at once."""
        key = (team_id, project_id)
        with self._lock:
            known = key in self._asked
            self._asked[key] = known
            if not known:
                self._turn.append(key)
        if not known:
            self._go_on()

    def _go_on(self) -> None:
        with suppress(RuntimeError):  # this process is going down: another's sweep goes on
            self._pool.submit(self._next)

    def _next(self) -> None:
        with self._lock:
            key = next((key for key in self._turn if self._running[key[0]] < self._per_team), None)
            if key is None:
                return  # their teams have all they may have: the end of one goes on with the next
            self._turn.remove(key)
            self._running[key[0]] += 1
            self._asked[key] = False
        try:
            self._work(*key)
        except Problem as problem:
            log.info("drain put off: %s", problem.code)  # the sweep comes by
        except Exception:
            log.exception("drain failed")
        with self._lock:
            self._running[key[0]] -= 1
            self._running += Counter()  # forgets who has none
            if self._asked.pop(key):
                self._asked[key] = False
                self._turn.append(key)
            more = bool(self._turn)
        if more:
            self._go_on()


class Waiters:
    """The entries for which this process holds a connection; their presence is renewed in one statement a team."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[UUID, dict[UUID, Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None

    def add(self, team_id: UUID, entry_id: UUID, abandon: Callable[[], None]) -> None:
        """Renew this entry from now on; ``abandon`` it where this process ends before its wait does."""
        with self._lock:
            self._held.setdefault(team_id, {})[entry_id] = abandon
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_for_ever, name="waiters", daemon=True)
                self._thread.start()

    def discard(self, team_id: UUID, entry_id: UUID) -> None:
        """Stop renewing it."""
        with self._lock:
            held = self._held.get(team_id)
            if held is not None:
                held.pop(entry_id, None)
                if not held:
                    del self._held[team_id]

    def leave(self, seconds: float = 5.0) -> None:
        """This process ends: nobody holds a connection for its waiters any more. Gives up on what takes longer.

        A request may have lined up, and its door have stopped before it began to wait.
        """
        until = time.monotonic() + seconds
        with self._lock:
            left = [abandon for held in self._held.values() for abandon in held.values()]
            self._held.clear()
        for abandon in left:
            if time.monotonic() > until:
                return
            try:
                abandon()
            except Exception:
                log.exception("a waiter was left behind: its time runs out by itself")

    def _renew_for_ever(self) -> None:
        while True:
            threading.Event().wait(_RENEW_EVERY_S)
            with self._lock:
                held = {team: list(entries) for team, entries in self._held.items()}
            for team_id, entries in held.items():
                try:
                    with transaction(team_id) as tx:
                        queue.renew_waiters(tx, entries, seconds=WAITER_SECONDS)
                except Problem:
                    log.info("waiters not renewed: the database is away")


class _Shared:
    """Drains that many waiters ask for at the same moment: who asked while one ran shares the next one's result.

    Results are moments of this process's clock (``time.monotonic``).
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: dict[UUID, threading.Lock] = {}
        self._last: dict[UUID, tuple[float, dict[str, float]]] = {}

    def drain(self, team_id: UUID, project_id: UUID, age: float) -> dict[str, float]:
        asked = time.monotonic() - age
        with self._lock:
            if len(self._turns) > _REMEMBERED:
                self._turns.clear()
                self._last.clear()
            turn = self._turns.setdefault(project_id, threading.Lock())
        with turn:
            began, moments = self._last.get(project_id, (float("-inf"), {}))
            if began < asked:
                began = time.monotonic()
                lapses = drain(team_id, project_id)
                now = time.monotonic()
                moments = {entry: now + seconds for entry, seconds in lapses.items()}
                self._last[project_id] = (began, moments)
            return moments


_soon = Soon(drain)
_shared = _Shared()
waiters = Waiters()


def drain_soon(team_id: UUID, project_id: UUID) -> None:
    """Drain a project on a thread of this process, soon and once."""
    _soon.ask(team_id, project_id)


def drain_shared(team_id: UUID, project_id: UUID, *, age: float) -> dict[str, float]:
    """As ``drain``, for the waiters of this process, which share the work: one that began at most ``age`` seconds ago
    will do. Answers moments of ``time.monotonic``.
    """
    return _shared.drain(team_id, project_id, age)
