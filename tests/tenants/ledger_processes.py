"""What the processes of test_ledger.py run. Each sets Django up for itself and has connections of its own."""

import random
import signal
import time
from multiprocessing.synchronize import Barrier, Event
from typing import Any
from uuid import UUID

import django

TIMEOUT = 60.0


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    django.setup()
    from tenants import ledger

    ledger.listeners.clear()  # these processes publish by hand, or leave it on purpose


def _principal(team_id: UUID, name: str) -> Any:
    from tenants.principal import Actor, Principal

    return Principal(team_id, "test", Actor("worker", name, name), frozenset())


def _append(tx: Any, team_id: UUID, project_id: UUID, name: str, subject: str) -> None:
    from tenants import ledger

    fact = ledger.Fact("test.written", "test", subject)
    ledger.append(tx, _principal(team_id, name), [fact], project_id=project_id)


def write(team_id: UUID, project_id: UUID, name: str, transactions: int, started: Barrier) -> None:
    """Commit transactions of one to three events that stay open for a random moment, and publish after each."""
    _start()
    from tenants import ledger
    from tenants.db import transaction

    chance = random.Random(name)
    started.wait(TIMEOUT)
    for number in range(transactions):
        with transaction(team_id) as tx:
            for part in range(chance.randint(1, 3)):
                _append(tx, team_id, project_id, name, f"{name}-{number}-{part}")
            # Not a wait for anything: how long it stays open decides who commits first.
            time.sleep(chance.random() * 0.004)
        ledger.publish(team_id, project_id)


def write_slowly(team_id: UUID, project_id: UUID, started: Barrier, others_seen: Event) -> None:
    """Take the lowest event id of all and commit last: what a reader by event id cannot survive."""
    _start()
    from tenants import ledger
    from tenants.db import transaction

    with transaction(team_id) as tx:
        _append(tx, team_id, project_id, "slow", "slow-0-0")
        started.wait(TIMEOUT)
        assert others_seen.wait(TIMEOUT)
    ledger.publish(team_id, project_id)


def follow(team_id: UUID, project_id: UUID, last: Any, found: Any, page: int) -> None:
    """Read by cursor until as many events came as ``last`` says there are; put (seq, subject) pairs on ``found``."""
    _start()
    from tenants import ledger
    from tenants.db import transaction

    seen: list[tuple[int, str]] = []
    cursor = 0
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        with transaction(team_id) as tx:
            rows = ledger.read(tx, project_id, after=cursor, limit=page)
        seen += [(row["seq"], row["subject_id"]) for row in rows]
        cursor = rows[-1]["seq"] if rows else cursor
        if not rows and last.value and len(seen) >= last.value:
            break
    found.put(seen)


def follow_naively(team_id: UUID, project_id: UUID, last: Any, found: Any, others_seen: Event) -> None:
    """The negative control: the same loop over committed rows by event id, as one would write it first."""
    _start()
    from tenants.db import transaction

    seen: list[str] = []
    cursor = 0
    idle_since = None
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        with transaction(team_id) as tx:
            rows = tx.run(
                "SELECT id, subject_id FROM tenants_event WHERE team_id = %s AND project_id = %s AND id > %s"
                " ORDER BY id LIMIT 50",
                [team_id, project_id, cursor],
            ).fetchall()
        seen += [row["subject_id"] for row in rows]
        cursor = rows[-1]["id"] if rows else cursor
        if seen:
            others_seen.set()
        # Done when everything was committed and two looks in a row found nothing new.
        if rows or not last.value:
            idle_since = None
        elif idle_since is None:
            idle_since = cursor
        else:
            break
    found.put(seen)


def publish_in_race(team_id: UUID, project_id: UUID, started: Barrier, total: int) -> None:
    """Publish as often as it takes until everything has its number."""
    _start()
    from tenants import ledger
    from tenants.db import transaction

    started.wait(TIMEOUT)
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        ledger.publish(team_id, project_id)
        with transaction(team_id) as tx:
            if ledger.head(tx, project_id)[1] >= total:
                return


def publish_and_hang(team_id: UUID, project_id: UUID, numbered: Event) -> None:
    """Give numbers and never commit: whoever waits for this process kills it."""
    _start()
    from tenants import ledger
    from tenants.db import transaction

    with transaction(team_id):
        ledger.publish(team_id, project_id)  # joins the open transaction
        numbered.set()
        signal.pause()


def publish_once(team_id: UUID, project_id: UUID) -> None:
    """One publication by a process that knows nothing of who wrote."""
    _start()
    from tenants import ledger

    ledger.publish(team_id, project_id)
