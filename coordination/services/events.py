"""Reading the ledger, and publishing topics into it."""

import re
from datetime import datetime
from typing import Any

from coordination import notify
from coordination.selectors import events
from coordination.services import holding
from coordination.services.acting import acting_or_none
from coordination.services.results import Answer
from tenants import ids, ledger
from tenants.db import transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import invalid
from tenants.selectors.projects import project_resolve

_TOPIC = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


def publish_topic(principal: Principal, project: str, topic: str, data: dict[str, Any] | None = None) -> Answer:
    """Append ``topic.<name>`` to the project's ledger: news among agents, for streams, waits and webhooks."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    if not _TOPIC.fullmatch(topic):
        raise invalid("topic", "bad_name", "1 to 64 of a-z 0-9 _ . - and not starting with punctuation")
    with transaction(principal.team_id) as tx:
        me = acting_or_none(tx, principal, ref)
        subject = ids.show("ins", me.instance_id) if me else principal.actor.id
        fact = Fact(f"topic.{topic}", "topic", topic, {"data": data or {}, "from": me.agent if me else subject})
        ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=me.instance_id if me else None)
    return Answer("created", {"type": f"topic.{topic}", "topic": topic})


def read(
    principal: Principal,
    project: str,
    *,
    after: int | None = None,
    types: tuple[str, ...] = (),
    actor: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    wait_seconds: int | None = None,
) -> Answer:
    """Published events after a cursor, oldest first; without ``after``, the latest ``limit`` ones.

    Every event is seen exactly once by a reader that goes on from ``cursor``. With ``wait_seconds`` it holds until
    there is one. 410 ``cursor_expired`` below what retention left.
    """
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)

    def look() -> Answer:
        with transaction(principal.team_id) as tx:
            page = events.page(
                tx,
                ref.id,
                after=after,
                limit=limit,
                types=types,
                actor=actor,
                subject=subject,
                since=since,
                until=until,
            )
        return Answer("ok", page)

    keys = {notify.stream_key(principal.team_id, ref.id)}
    return holding.until(look, ready=lambda answer: bool(answer.body["items"]), keys=keys, seconds=wait_seconds)
