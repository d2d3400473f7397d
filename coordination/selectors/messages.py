"""Messages as lists."""

from typing import Any

from coordination.selectors import inboxes
from coordination.selectors.paging import Page, cursor_id
from coordination.store import messages
from tenants import ids
from tenants.db import transaction
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import invalid
from tenants.selectors.projects import project_resolve


def message_list(
    principal: Principal, project: str, *, thread: str | None = None, limit: int = 50, cursor: str | None = None
) -> dict[str, Any]:
    """Messages of a project, or of one thread, newest first."""
    principal.require(Permission.READ)
    ref = project_resolve(principal, project)
    thread_id = ids.parse("msg", thread) if thread else None
    if thread and thread_id is None:
        raise invalid("thread", "bad_id", "a thread is named by its first message, msg_…")
    with transaction(principal.team_id) as tx:
        rows = messages.listed(tx, ref.id, thread_id=thread_id, before=cursor_id(cursor), limit=limit + 1)
    return Page.of(rows, limit, inboxes.message, key=lambda row: row["id"])
