"""Freezing a project: no grant after this commits, and none in flight when it does (concurrency.md, lock order 1)."""

from coordination.services import drains
from coordination.services.results import Answer
from coordination.store import grounds, projects
from tenants import ids, ledger
from tenants.db import transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.selectors.projects import project_resolve


def freeze(principal: Principal, project: str, reason: str = "") -> Answer:
    """Stop all grants now. Held claims stay; releases and renewals go on. Again only changes the reason."""
    return _set(principal, project, frozen=True, reason=reason)


def thaw(principal: Principal, project: str) -> Answer:
    """Let grants go on; the queue is served at once."""
    return _set(principal, project, frozen=False, reason="")


def _set(principal: Principal, project: str, *, frozen: bool, reason: str) -> Answer:
    principal.require(Permission.FREEZE)
    ref = project_resolve(principal, project)
    with transaction(principal.team_id) as tx:
        grounds.lock_project(tx, ref.id)
        row = projects.set_frozen(tx, ref.id, frozen=frozen, by=principal.actor.name, reason=reason)
        kind = "project.frozen" if frozen else "project.thawed"
        said = {"by": principal.actor.name, "reason": reason}
        fact = Fact(kind, "project", ids.show("prj", ref.id), said, recipient="all")
        ledger.append(tx, principal, [fact], project_id=ref.id)
        if not frozen:
            tx.after_commit(lambda: drains.drain_soon(principal.team_id, ref.id))
    return Answer(
        "ok",
        {
            "frozen": row["frozen_at"] is not None,
            "since": row["frozen_at"],
            "by": row["frozen_by"] or None,
            "reason": row["frozen_reason"] or None,
        },
    )
