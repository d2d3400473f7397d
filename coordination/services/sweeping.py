"""What the workers do. Sweeps tidy and announce; they carry no meaning: what is live is a predicate (concurrency.md).

Each is idempotent and skips rows that somebody else is working on, so running one twice at once is harmless.
"""

import logging
import time
from collections.abc import Callable
from uuid import UUID

from coordination import notify
from coordination.services import drains
from coordination.services.granting import expiry_facts
from coordination.store import claims, instances, sweeps
from tenants import idempotency, ids, ledger
from tenants.db import transaction
from tenants.ledger import Fact
from tenants.problems import Problem

log = logging.getLogger(__name__)
_BATCH = 500


def run(name: str, period_s: int, work: Callable[[], int]) -> int:
    """Run a sweep and note when, how long, and what it did."""
    started = time.monotonic()
    did = work()
    sweeps.record(name, period_s=period_s, took_ms=int((time.monotonic() - started) * 1000), did=did)
    return did


def liveness() -> int:
    """Instances silent too long become stale, then gone; the ledger and their own inbox hear of it."""
    return _over_projects("liveness", _silent)


def expiry() -> int:
    """Announce expired claims and serve the queues: also finishes what a process that died left undone."""
    return _over_projects("expiry", _expired)


def publication() -> int:
    """Number what writers committed and nobody published, because their process died right after."""
    streams = ledger.unpublished()
    for team_id, project_id in streams:
        notify.nudge(team_id, project_id)
    return len(streams)


def tidy() -> int:
    """Drop stored answers of idempotent requests after their day."""
    return idempotency.tidy()


def _over_projects(kind: str, work: Callable[[UUID, UUID], int]) -> int:
    did = 0
    for team_id, project_id in sweeps.due(kind):
        try:
            did += work(team_id, project_id)
        except Problem as problem:
            log.info("%s of %s put off: %s", kind, project_id, problem.code)
    return did


def _silent(team_id: UUID, project_id: UUID) -> int:
    with transaction(team_id) as tx:
        changed = instances.fell_silent(tx, project_id)
        facts = [
            Fact(
                f"instance.{row['status']}",
                "instance",
                ids.show("ins", row["id"]),
                {"agent": row["agent_name"], "last_seen": row["last_seen"].isoformat()},
                recipient=f"ins:{row['id']}",
            )
            for row in changed
        ]
        if facts:
            ledger.append(tx, drains.system(team_id), facts, project_id=project_id)
    return len(changed)


def _expired(team_id: UUID, project_id: UUID) -> int:
    with transaction(team_id) as tx:
        over = claims.lapsed(tx, project_id, _BATCH)
        ended = claims.expire(tx, project_id, over, by="its time was over") if over else []
        facts = [fact for row in ended for fact in expiry_facts(row, None)]
        if facts:
            ledger.append(tx, drains.system(team_id), facts, project_id=project_id)
    drains.drain(team_id, project_id)
    return len(ended)
