"""What the pages show of a project, read through selectors and services with the person's principal."""

from typing import Any

from coordination.selectors import claims, events, instances, queue
from dashboard.phrases import phrase
from tenants import ledger
from tenants.db import transaction
from tenants.principal import Principal
from tenants.selectors.projects import project_resolve

_SHOWN = 50
_EVENTS = 20
# Counting stops here: a home page needs no exact number of very many.
_COUNTED = 99


def project_overview(principal: Principal, project: str) -> dict[str, Any]:
    """Roster, held claims, queue and the last events, newest first."""
    held = claims.claim_list(principal, project, state="held", limit=_SHOWN)
    waiting = queue.queue_list(principal, project, state="waiting", limit=_SHOWN)
    roster = instances.roster(principal, project)["items"]
    return {
        "roster": roster,
        "claims": held["items"],
        "more_claims": held["next_cursor"] is not None,
        "queue": waiting["items"],
        "more_queue": waiting["next_cursor"] is not None,
        "events": last_events(principal, project),
    }


def project_counts(principal: Principal, project: str) -> dict[str, Any]:
    """How many are here, hold and wait; a text such as ``200+`` beyond what is counted."""
    held = claims.claim_list(principal, project, state="held", limit=_COUNTED)
    waiting = queue.queue_list(principal, project, state="waiting", limit=_COUNTED)
    return {
        "agents": str(len(instances.roster(principal, project)["items"])),
        "claims": _count(held),
        "queue": _count(waiting),
    }


def last_events(principal: Principal, project: str, *, limit: int = _EVENTS) -> list[dict[str, Any]]:
    """The newest published events, newest first, each with a ``phrase`` for people."""
    ref = project_resolve(principal, project)
    with transaction(principal.team_id) as tx:
        oldest, last = ledger.head(tx, ref.id)
    found = events.events_after(principal, project, max(last - limit, oldest - 1), limit)["items"]
    return [event | {"phrase": phrase(event)} for event in reversed(found)]


def _count(page: dict[str, Any]) -> str:
    return f"{len(page['items'])}{'+' if page['next_cursor'] else ''}"
