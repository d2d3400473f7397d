"""Instances, the roster, sync."""

from coordination.api.call import Call
from coordination.api.handlers import shown
from coordination.selectors import instances as selectors
from coordination.services import instances as services
from coordination.services import sync as syncing
from coordination.services.results import Answer


def instance_register(call: Call) -> Answer:
    """Register a run of an agent, or resume it."""
    said = call.body.model_dump()
    said["capabilities"] = tuple(said["capabilities"])
    return services.register(call.principal, call.project, **said)


def instance_list(call: Call) -> Answer:
    """Instances of the project."""
    return shown(selectors.instance_list(call.principal, call.project, **call.query.model_dump()))


def instance_get(call: Call) -> Answer:
    """One instance."""
    return shown(selectors.instance_get(call.principal, call.project, call.id))


def instance_change(call: Call) -> Answer:
    """What a run says of itself."""
    return services.change(call.principal, call.project, call.id, **call.body.model_dump(exclude_unset=True))


def instance_end(call: Call) -> Answer:
    """End a run and release what it holds."""
    return services.end(call.principal, call.project, call.id)


def instance_heartbeat(call: Call) -> Answer:
    """Renew presence and leases."""
    return services.heartbeat(call.principal, call.project, call.id)


def roster(call: Call) -> Answer:
    """Who is here."""
    return shown(selectors.roster(call.principal, call.project))


def sync(call: Call) -> Answer:
    """Everything an instance should know since its cursor."""
    return syncing.sync(
        call.principal, call.project, after=number(call.query.after), wait_seconds=call.query.wait_seconds
    )


def number(cursor: str | None) -> int | None:
    """A ledger cursor as services take it."""
    return None if cursor is None else int(cursor)
