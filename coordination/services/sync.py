"""Everything an instance should know since its cursor, in one answer (api.md, ``sync``)."""

from typing import Any

from coordination import notify
from coordination.selectors import claims as claim_selectors
from coordination.selectors import inboxes, shapes
from coordination.services import acting, holding
from coordination.services.instances import inbox_of
from coordination.services.results import Answer
from coordination.store import claims, instances, messages, queue
from tenants import ledger
from tenants.db import Transaction, transaction
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.selectors.projects import ProjectRef, project_resolve

_MOST = 100


def sync(principal: Principal, project: str, *, after: int | None = None, wait_seconds: int | None = None) -> Answer:
    """Inbox since the cursor, my claims with the time left (offers are taken up), my waits, who else is here.

    With ``wait_seconds`` it holds until the inbox has something.
    """
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)

    waits_on: set[str] = set()

    def look() -> Answer:
        with transaction(principal.team_id) as tx:
            me = acting.acting_in(tx, principal, ref)
            waits_on.update(notify.inbox_key(recipient, ref.id) for recipient in inbox_of(me.instance_id, me))
            return Answer("ok", _everything(tx, ref, me, after))

    return holding.until(
        look, ready=lambda answer: bool(answer.body["inbox"]["items"]), keys=waits_on, seconds=wait_seconds
    )


def _everything(tx: Transaction, ref: ProjectRef, me: acting.Acting, after: int | None) -> dict[str, Any]:
    if after is not None:
        messages.move_cursor(tx, me.instance_id, after)
    start = me.policy["inbox_cursor"] if after is None else after
    held = claim_selectors.held_by(tx, ref.id, me.holder_id)
    offered = [row["id"] for row in held if row["offered"]]
    if offered:
        claims.renew(tx, ref.id, offered, holder_id=me.holder_id, ttl_s=None)
        held = claim_selectors.held_by(tx, ref.id, me.holder_id)
    rows = ledger.read(tx, ref.id, after=start, limit=50, recipients=inbox_of(me.instance_id, me))
    waiting = queue.waiting(tx, ref.id, holders=[me.holder_id])
    here = instances.listed(
        tx,
        ref.id,
        statuses=("active", "idle", "waiting", "stale"),
        agent=None,
        capability=None,
        repository_id=None,
        before=None,
        limit=_MOST,
    )
    mine = next((row for row in here if row["id"] == me.instance_id), None) or instances.find(
        tx, ref.id, me.instance_id
    )
    assert mine is not None
    return {
        "instance": shapes.instance(mine),
        "frozen": me.policy["frozen_at"] is not None,
        "frozen_reason": me.policy["frozen_reason"] or None,
        "inbox": inboxes.inbox(tx, ref.id, rows, start),
        "claims": [
            shapes.claim(row) | {"seconds_left": max(0, int((row["expires_at"] - me.now).total_seconds()))}
            for row in held
        ],
        "queue": [
            shapes.entry(row, position=queue.position(tx, ref.id, row), waiting_for=[], granted=None) for row in waiting
        ],
        "others": [
            {
                "agent": row["agent_name"],
                "instance": shapes.instance(row)["id"],
                "status": row["status"],
                "lane": row["lane"],
                "intent": row["intent"],
                "branch": row["branch"],
                "last_seen": row["last_seen"],
            }
            for row in here
            if row["root_id"] != me.holder_id
        ],
        "lapses_if_silent_after": me.silence_limit(),
    }
