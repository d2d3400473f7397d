"""What the workers of a race do: module-level functions, whose arguments and results can be sent."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg

from coordination.api.waits import block
from coordination.services import (
    allocations,
    claims,
    deciding,
    drains,
    events,
    instances,
    leases,
    lining_up,
    queue,
    sweeping,
    waiting,
)
from coordination.services import freeze as freezing
from coordination.services.requests import ScopeRequest
from coordination.services.results import Answer
from coordination.store import allocations as allocation_store
from coordination.store import grounds
from coordination.store import queue as queue_store
from tenants import ledger
from tenants.principal import Principal
from tenants.problems import Code, Problem
from tenants.selectors.projects import project_resolve
from tests import making
from tests.concurrency import crew, stage
from tests.concurrency.crew import Meeting
from tests.concurrency.watching import outside, until

Outcome = tuple[str, dict[str, Any]]
PATIENCE = 50


def outcome(act: Callable[[], Answer]) -> Outcome:
    """Kind and body of an answer, or ``problem`` with its document. ``busy`` is asked again, as a client would."""
    for _ in range(PATIENCE):
        try:
            answer = act()
            return answer.kind, answer.body
        except Problem as problem:
            if problem.code is not Code.BUSY:
                return "problem", problem.document()
    return "problem", {"code": "busy"}


def claim(principal: Principal, paths: tuple[str, ...], terms: dict[str, Any] | None = None) -> Outcome:
    """Ask for ground."""
    return outcome(lambda: making.claim(principal, *paths, **(terms or {})))


def claim_of_many(asking: list[tuple[Principal, str]]) -> list[Outcome]:
    """Many ask, eight at a time."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda one: claim(one[0], (one[1],)), asking))


def release(principal: Principal, claim_id: str) -> Outcome:
    """Give a claim back."""
    return outcome(lambda: leases.release(principal, "main", claim_id))


def renew(principal: Principal, claim_id: str, ttl_seconds: int | None = None) -> Outcome:
    """Go on holding."""
    return outcome(lambda: leases.renew(principal, "main", claim_id, ttl_seconds))


def narrow(principal: Principal, claim_id: str, scopes: tuple[ScopeRequest, ...]) -> Outcome:
    """Give up a part."""
    return outcome(lambda: leases.change(principal, "main", claim_id, scopes=scopes))


def change_mode(principal: Principal, claim_id: str, mode: str) -> Outcome:
    """Hold in another mode."""
    return outcome(lambda: leases.change(principal, "main", claim_id, mode=mode))


def cancel(principal: Principal, entry_id: str) -> Outcome:
    """Give up waiting."""
    return outcome(lambda: queue.cancel(principal, "main", entry_id))


def wait_for(principal: Principal, paths: tuple[str, ...], terms: dict[str, Any] | None = None) -> Outcome:
    """Ask for ground and hold on until it is had, as the session door does."""
    return outcome(lambda: block(making.claim(principal, *paths, **({"wait_seconds": 20} | (terms or {})))))


def drain(place: making.Place) -> None:
    """Serve the queue."""
    drains.drain(place.team_id, place.project_id)


@contextmanager
def ground_locks(*, on: bool) -> Iterator[None]:
    """Without them the locks over ground are not taken: what they are there to prevent must then happen."""
    if on:
        yield
        return
    with patch.object(grounds, "lock_ground", lambda *_: None):
        yield


@contextmanager
def meeting_after(module: Any, name: str, names: list[str]) -> Iterator[None]:
    """Let no racer leave the function ``name`` of a module before all have called it, or stand at a lock."""
    original = getattr(module, name)
    meeting = Meeting(names)

    def look(*arguments: Any, **more: Any) -> Any:
        found = original(*arguments, **more)
        meeting.meet()
        return found

    with patch.object(module, name, look):
        try:
            yield
        finally:
            meeting.arrive()


def claim_at_once(principal: Principal, paths: tuple[str, ...], locks: bool, names: list[str]) -> Outcome:
    """Ask for ground, writing only when everybody has looked who is not kept from it."""
    with ground_locks(on=locks), meeting_after(claims, "look", names):
        return claim(principal, paths)


def heartbeat(principal: Principal) -> Outcome:
    """Say that a run is alive."""
    assert principal.instance is not None
    return outcome(lambda: instances.heartbeat(principal, "main", principal.instance or ""))


def end_run(principal: Principal) -> Outcome:
    """End a run."""
    return outcome(lambda: instances.end(principal, "main", (principal.instance or "").partition(".")[0]))


def expire(place: making.Place) -> None:
    """What the expiry sweep does for this project."""
    sweeping._expired(place.team_id, place.project_id)


def lapse_and_expire(place: making.Place, claim_id: str) -> None:
    """Let a claim's time be over, then sweep."""
    stage.lapse(place, claim_id)
    expire(place)


def hammer(principal: Principal, path: str, times: int) -> list[int]:
    """Ask again and again, giving back at once what was had; the fences of what was had."""
    fences = []
    for _ in range(times):
        kind, body = claim(principal, (path,))
        if kind == "granted":
            fences.append(body["fence"])
            release(principal, body["id"])
    return fences


def wait_and_release(principals: list[Principal], path: str) -> list[str]:
    """Each waits for a path and gives it back as soon as it has it; what each was answered."""

    def one(principal: Principal) -> str:
        kind, body = wait_for(principal, (path,))
        if kind == "granted":
            release(principal, body["id"])
        return kind

    with ThreadPoolExecutor(len(principals)) as pool:
        return list(pool.map(one, principals))


def drain_at_once(place: making.Place, locks: bool, names: list[str]) -> None:
    """Serve the queue, granting only when everybody has decided who is not kept from it."""
    find = queue_store.find
    with ExitStack() as stack:
        if not locks:
            stack.enter_context(patch.object(grounds, "lock_entries", lambda *_: None))
            stack.enter_context(patch.object(grounds, "lock_wait_graph", lambda *_: None))
            stack.enter_context(patch.object(queue_store, "find", lambda *a, lock=False, **more: find(*a, **more)))
        stack.enter_context(meeting_after(deciding, "judge", names))
        drain(place)


def wait_at_once(principal: Principal, path: str, locks: bool, names: list[str]) -> Outcome:
    """Ask to be put into the queue, writing only when everybody has looked who is not kept from it."""
    with ground_locks(on=locks), meeting_after(claims, "look", names):
        return claim(principal, (path,), {"wait_seconds": 0})


def release_when_looked(principal: Principal, claim_id: str, names: list[str]) -> Outcome:
    """Give a claim back as soon as somebody has looked at it, without being waited for."""
    meeting = Meeting(names)
    try:
        until(lambda: crew.looked.value, "nobody looks")
        return release(principal, claim_id)
    finally:
        meeting.arrive()


def give_up(principal: Principal, entry_id: str) -> Outcome:
    """What a door does when the time is over for which a request was to be held."""
    ref = project_resolve(principal, "main")
    hold = waiting.EntryWait(principal, ref, stage.uuid(entry_id), seconds=20, first_look=20).hold()
    return outcome(hold.give_up)


def wait_in_graph(principal: Principal, path: str, locks: bool, names: list[str]) -> Outcome:
    """Ask to wait, writing only when everybody has looked for circles who is not kept from it."""
    with ExitStack() as stack:
        if not locks:
            stack.enter_context(patch.object(grounds, "lock_wait_graph", lambda *_: None))
        stack.enter_context(meeting_after(lining_up, "_deadlock", names))
        return claim(principal, (path,), {"wait_seconds": 0})


def freeze(place: making.Place) -> Outcome:
    """Stop all grants."""
    return outcome(lambda: freezing.freeze(place.owner, "main", "stop"))


def _allocate(principal: Principal, first: int | None = None, last: int | None = None) -> Outcome:
    try:
        return outcome(lambda: allocations.allocate(principal, "main", pool="migration", first=first, last=last))
    except psycopg.errors.UniqueViolation:
        return "collided", {}


def allocate_at_once(principal: Principal, locks: bool, names: list[str]) -> Outcome:
    """Ask for a number, taking it only when everybody knows what is taken who is not kept from asking."""
    with ExitStack() as stack:
        if not locks:
            stack.enter_context(patch.object(allocation_store, "lock_pool", lambda *_: None))
        stack.enter_context(meeting_after(allocation_store, "taken", names))
        return _allocate(principal)


def allocate_and_release(principal: Principal, times: int, first: int, last: int) -> list[tuple[int, int, int]]:
    """Have numbers for a moment, again and again: each with when it was had and when it was about to be given back."""
    log = []
    for _ in range(times):
        kind, body = _allocate(principal, first, last)
        if kind == "created":
            had = time.monotonic_ns()
            log.append((body["number"], had, time.monotonic_ns()))
            outcome(lambda allocation=body["id"]: allocations.release(principal, "main", allocation))
    return log


def claim_unpublished(principal: Principal, paths: tuple[str, ...]) -> Outcome:
    """Claim as a process does that dies before it has told anybody."""
    with patch.object(ledger, "listeners", []):
        return claim(principal, paths)


def publish(place: making.Place) -> int | None:
    """Number what has been committed."""
    return ledger.publish(place.team_id, place.project_id)


def publish_slowly(place: making.Place, turns: bool, events_there: int) -> int | str | None:
    """Take the turn, and number only when there are that many events."""
    stream = ledger._stream
    meeting = Meeting([])

    def wait(project_id: UUID | None) -> str:
        meeting.arrive()
        counting = "SELECT count(*) FROM tenants_event WHERE team_id = %s AND project_id = %s"
        with outside() as connection:
            until(
                lambda: connection.execute(counting, [place.team_id, project_id]).fetchone() == (events_there,),
                "nothing comes",
            )
        return stream(project_id)

    unlocked = ledger._TAKE_TURN.replace("FOR NO KEY UPDATE SKIP LOCKED", "")
    assert unlocked != ledger._TAKE_TURN
    with (
        patch.object(ledger, "_stream", wait),
        patch.object(ledger, "_TAKE_TURN", ledger._TAKE_TURN if turns else unlocked),
    ):
        try:
            return publish(place)
        except psycopg.errors.UniqueViolation:
            return "collided"


def tell(principal: Principal, topic: str) -> Outcome:
    """Publish a topic."""
    return outcome(lambda: events.publish_topic(principal, "main", topic))


def read_until(place: making.Place, last: str) -> list[tuple[int, str, str]]:
    """Follow the ledger from its beginning to the first event of a type: cursors, types, subjects."""
    seen: list[tuple[int, str, str]] = []
    after = 0
    while True:
        answer = block(events.read(place.owner, "main", after=after, wait_seconds=20, limit=7))
        for event in answer.body["items"]:
            seen.append((int(event["cursor"]), event["type"], event["subject"]["id"]))
            if event["type"] == last:
                return seen
        after = int(answer.body["cursor"])


def record(
    principals: list[Principal], paths: tuple[str, ...], calls: int, seed: int
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Claim and give back at random, each on a thread of its own; what was held and refused, with moments."""

    def one(number: int) -> None:
        principal, chance = principals[number], random.Random(seed * 100 + number)
        for _ in range(calls):
            path = chance.choice(paths)
            asked = time.monotonic_ns()
            kind, body = claim(principal, (path,))
            answered = time.monotonic_ns()
            if kind != "granted":
                assert kind == "refused", body
                refused.append((principal.instance, path, asked, answered))
                continue
            released = time.monotonic_ns()
            assert release(principal, body["id"])[0] == "ok"
            held.append((principal.instance, path, body["fence"], asked, answered, released, time.monotonic_ns()))

    held: list[tuple[Any, ...]] = []
    refused: list[tuple[Any, ...]] = []
    with ThreadPoolExecutor(len(principals)) as pool:
        list(pool.map(one, range(len(principals))))
    return held, refused
