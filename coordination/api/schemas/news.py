"""Messages, the inbox, and the ledger."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from coordination.api.schemas.base import (
    Body,
    Cursor,
    Id,
    Line,
    Moment,
    Page,
    Paged,
    Prose,
    Query,
    Reply,
    Time,
    Waiting,
    Whole,
)

MessageKind = Literal["note", "question", "answer", "blocker", "handoff", "decision", "approval", "notice"]
Importance = Literal["low", "normal", "high", "urgent"]
Topic = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9_.-]{0,58}[a-z0-9])?$")]
TypeGlob = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.*-]{1,80}$")]


class MessageCreate(Body):
    """Write to an instance, an agent, or ``all``."""

    to: Line = Field(min_length=1, max_length=120)
    kind: MessageKind = "note"
    text: Prose = Field(min_length=1, max_length=20_000)
    thread: Id | None = None
    reply_to: Id | None = None
    ack_required: bool = False
    importance: Importance = "normal"


class MessageQuery(Paged):
    """Filters are exact and applied before the limit."""

    thread: Id | None = None


class InboxQuery(Waiting):
    """Presenting ``after`` acknowledges what lies before it."""

    after: Cursor | None = None
    limit: Whole = Field(default=50, ge=1, le=200)


class InboxAck(Body):
    """Acknowledge messages, or everything up to a cursor, or both."""

    message_ids: list[Id] | None = Field(default=None, max_length=500)
    cursor: Cursor | None = None


class Actor(Reply):
    """Who did it."""

    kind: str
    id: str
    name: str
    instance: str | None


class Subject(Reply):
    """What it was done to."""

    kind: str
    id: str


class Event(Reply):
    """One fact of the ledger."""

    id: str
    cursor: str
    type: str
    at: Time
    actor: Actor
    door: str
    subject: Subject
    data: dict[str, Any]


class Sender(Reply):
    """Verified provenance: the credential, the door, and the run where there was one."""

    kind: str
    id: str
    name: str
    agent: str | None
    instance: str | None
    door: str


class Receipt(Reply):
    """Somebody acknowledged it."""

    instance: str
    agent: str
    at: Time


class Message(Reply):
    """One message."""

    id: str
    thread: str
    reply_to: str | None
    to: str
    kind: MessageKind
    importance: Importance
    text: str
    ack_required: bool
    at: Time
    sender: Sender
    receipts: list[Receipt]


class MessagePage(Page):
    """Messages, newest first."""

    items: list[Message]


class InboxItem(Event):
    """A fact addressed to the reader, with its message where it is one."""

    message: Message | None


class Inbox(Reply):
    """What lies after the cursor; present ``cursor`` with the next call."""

    items: list[InboxItem]
    cursor: str


class Acknowledged(Reply):
    """What was acknowledged just now, and where the cursor stands."""

    acknowledged: list[str]
    cursor: str


class EventCreate(Body):
    """What an agent publishes; it appears as ``topic.<topic>``."""

    topic: Topic
    data: dict[str, Any] = Field(default_factory=dict)


class EventQuery(Waiting):
    """``type`` takes globs and may be repeated."""

    after: Cursor | None = None
    type: list[TypeGlob] = Field(default_factory=list, max_length=20)
    actor: Line | None = Field(default=None, max_length=200)
    subject: Id | None = None
    since: Moment | None = Field(default=None, alias="from")
    until: Moment | None = Field(default=None, alias="to")
    limit: Whole = Field(default=50, ge=1, le=200)


class StreamQuery(Query):
    """Where to begin (``Last-Event-ID`` goes before ``after``); absent: with what happens from now on."""

    after: Cursor | None = None
    type: list[TypeGlob] = Field(default_factory=list, max_length=20)


class EventList(Reply):
    """Events in the ledger's order; ``cursor`` is where to go on."""

    items: list[Event]
    cursor: str
    last: str


class Published(Reply):
    """The type under which it stands in the ledger."""

    type: str
    topic: str
