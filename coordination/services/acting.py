"""Which run acts: the handle the caller gave, checked against its credential, epoch and life."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from coordination.selectors import shapes
from coordination.services import presence
from coordination.store import instances
from tenants import ids
from tenants.db import Row, Transaction
from tenants.principal import Principal
from tenants.problems import Code, Problem, not_found
from tenants.selectors.projects import ProjectRef

# instance -> the root that holds what it claims. Fixed at registration, so it may be remembered for ever.
_roots: dict[UUID, UUID] = {}
_ROOTS_SIZE = 50_000


@dataclass(frozen=True, slots=True)
class Handle:
    """An instance as named by a caller: its id, and the epoch where the handle had one."""

    instance_id: UUID
    epoch: int | None


@dataclass(frozen=True, slots=True)
class Acting:
    """The run that acts, with the clock and the policy that its request is decided by."""

    instance_id: UUID
    holder_id: UUID
    agent_id: UUID
    agent: str
    now: datetime
    policy: Row

    def holder(self) -> dict[str, Any]:
        """The public shape of the holder (its root instance)."""
        return shapes.holder(self.policy | {"agent_name": self.policy["holder_agent"]})

    def silence_limit(self) -> datetime | None:
        """When its ground lapses if it stays silent from now on."""
        return shapes.silence_limit(self.policy["last_seen"], self.policy["idle_limit_s"], self.policy["grace_s"])


def credential(principal: Principal) -> str:
    """What an instance is bound to: the token, or the person."""
    return principal.actor.id


def handle(principal: Principal) -> Handle | None:
    """The handle the caller sent: ``ins_…`` or ``ins_….<epoch>``; None when it sent none. 422 for anything else."""
    if not principal.instance:
        return None
    name, _, epoch = principal.instance.partition(".")
    instance_id = ids.parse("ins", name)
    if instance_id is None or (epoch and not epoch.isdecimal()) or len(epoch) > 9:
        raise Problem(Code.INSTANCE_REQUIRED, "Interlock-Instance is no handle: it looks like ins_….1")
    return Handle(instance_id, int(epoch) if epoch else None)


def instance_of(named: Handle | None) -> UUID | None:
    """The instance a caller named, or None where its credential must tell."""
    return named.instance_id if named else None


def known_root(named: Handle | None) -> UUID | None:
    """The holder behind a handle, where this process has seen it before."""
    return _roots.get(named.instance_id) if named else None


def acting(principal: Principal, named: Handle | None, rows: Sequence[Row]) -> Acting:
    """The acting instance from the header's rows (store.instances.header).

    Raises 404 for a project or instance that is not there, 403 for another credential's, 422 ``instance_required``
    when none or several could be meant, 409 when it ended or a newer copy of the same run took over.
    """
    if not rows:
        raise not_found("project")
    row = rows[0]
    if row["id"] is None:
        if named is not None:
            raise not_found("instance")
        raise Problem(Code.INSTANCE_REQUIRED)
    if len(rows) > 1:
        raise Problem(Code.INSTANCE_REQUIRED, "This credential has several live instances: name one.")
    _check(principal, named, row)
    if len(_roots) > _ROOTS_SIZE:
        _roots.clear()
    _roots[row["id"]] = row["root_id"]
    presence.note(principal.team_id, row["id"], row["root_id"])
    return Acting(row["id"], row["root_id"], row["agent_id"], row["agent_name"], row["now"], row)


def acting_in(tx: Transaction, principal: Principal, ref: ProjectRef) -> Acting:
    """The acting instance of a principal in a project; raises as ``acting`` does."""
    named = handle(principal)
    rows = instances.header(tx, ref.id, instance_of(named), credential(principal)).fetchall()
    return acting(principal, named, rows)


def acting_or_none(tx: Transaction, principal: Principal, ref: ProjectRef) -> Acting | None:
    """The acting instance; None for a person or a service that acts without one."""
    try:
        return acting_in(tx, principal, ref)
    except Problem as problem:
        if problem.code is Code.INSTANCE_REQUIRED and not principal.instance:
            return None
        raise


def _check(principal: Principal, named: Handle | None, row: Row) -> None:
    if row["credential"] != credential(principal):
        raise Problem(Code.FORBIDDEN, "That instance was registered with another credential.", needs=["its credential"])
    if named is not None and named.epoch is not None and named.epoch != row["epoch"]:
        raise Problem(
            Code.INSTANCE_SUPERSEDED,
            f"This run was resumed as epoch {row['epoch']}; you are epoch {named.epoch}.",
            epoch=row["epoch"],
        )
    if row["ended_at"] is not None or row["holder_ended_at"] is not None:
        raise Problem(Code.INSTANCE_ENDED)


def refuse_frozen(row: Row) -> None:
    """Raise 409 while the project is frozen."""
    if row["frozen_at"] is not None:
        raise Problem(
            Code.FROZEN,
            f"Frozen by {row['frozen_by']} since {row['frozen_at']:%Y-%m-%d %H:%M} UTC: {row['frozen_reason']}",
            frozen_by=row["frozen_by"],
            since=row["frozen_at"],
            reason=row["frozen_reason"],
        )
