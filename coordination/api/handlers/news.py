"""Messages, the inbox, the ledger."""

from typing import Any

from coordination.api.call import Call
from coordination.api.handlers import shown
from coordination.api.handlers.agents import number
from coordination.notify import stream_key
from coordination.selectors import events as event_selectors
from coordination.selectors import messages as selectors
from coordination.services import events, messages
from coordination.services.results import Answer
from tenants.problems import invalid
from tenants.selectors.projects import project_resolve

_LARGEST_CURSOR = 10**18


def message_post(call: Call) -> Answer:
    """Write to somebody."""
    return messages.post(call.principal, call.project, **call.body.model_dump())


def message_list(call: Call) -> Answer:
    """Messages of the project."""
    query = call.query
    return shown(
        selectors.message_list(
            call.principal, call.project, thread=query.thread, limit=query.limit, cursor=query.cursor
        )
    )


def inbox(call: Call) -> Answer:
    """What lies after the cursor."""
    query = call.query
    return messages.inbox(
        call.principal,
        call.project,
        after=number(query.after),
        limit=query.limit,
        wait_seconds=query.wait_seconds,
    )


def inbox_ack(call: Call) -> Answer:
    """Acknowledge messages."""
    body = call.body
    return messages.acknowledge(
        call.principal, call.project, message_ids=tuple(body.message_ids or ()), cursor=number(body.cursor)
    )


def event_publish(call: Call) -> Answer:
    """Publish to the ledger."""
    return events.publish_topic(call.principal, call.project, call.body.topic, call.body.data)


def event_list(call: Call) -> Answer:
    """Read the ledger."""
    query = call.query
    return events.read(
        call.principal,
        call.project,
        after=number(query.after),
        types=tuple(query.type),
        actor=query.actor,
        subject=query.subject,
        since=query.since,
        until=query.until,
        limit=query.limit,
        wait_seconds=query.wait_seconds,
    )


def event_stream(call: Call) -> Answer:
    """Where a stream begins and what wakes it; the carrier sends it."""
    after = number(call.query.after)
    if call.last_event_id:
        text = call.last_event_id
        if not (text.isascii() and text.isdecimal() and len(text) < len(str(_LARGEST_CURSOR))):
            raise invalid("Last-Event-ID", "bad_cursor", "The cursor of the last event that was received.")
        after = int(text)
    ref = project_resolve(call.principal, call.project)
    # Read once, so that a cursor that has expired is told while there is still a status to tell it by.
    begin = event_selectors.events_after(call.principal, call.project, after, limit=1)
    cursor = begin["cursor"] if after is None else str(after)
    return shown({"cursor": cursor, "key": stream_key(call.principal.team_id, ref.id)})


def event_follow(call: Call, after: int) -> dict[str, Any]:
    """The next batch of a stream."""
    return event_selectors.events_after(call.principal, call.project, after, types=tuple(call.query.type))
