"""Instances, the roster, sync, messages and the inbox."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from coordination.api.schemas.base import (
    AgentName,
    Body,
    Cursor,
    Id,
    Line,
    Mode,
    Page,
    Paged,
    Reply,
    RepositorySlug,
    Time,
    Waiting,
)
from coordination.api.schemas.claims import Claim, QueueEntry
from coordination.api.schemas.news import Inbox

Capability = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:+-]{0,59}$")]


class InstanceCreate(Body):
    """Register a run of an agent, or resume the one this credential, checkout and thread id belong to."""

    agent: AgentName
    tool: Line = Field(default="", max_length=60)
    model: Line = Field(default="", max_length=120)
    thread_id: Line | None = Field(default=None, min_length=1, max_length=200)
    host: Line = Field(default="", max_length=200)
    worktree: Line = Field(default="", max_length=1024)
    branch: Line = Field(default="", max_length=250)
    repository: RepositorySlug | None = None
    parent: Id | None = Field(
        default=None, description="The instance that started this one; it holds what this claims."
    )
    capabilities: list[Capability] = Field(default_factory=list, max_length=50)
    intent: Line = Field(default="", max_length=500)
    lane: Line = Field(default="", max_length=80)


class InstanceChange(Body):
    """What a run says about itself; absent fields stay."""

    intent: Line | None = Field(default=None, max_length=500)
    lane: Line | None = Field(default=None, max_length=80)
    status: Literal["active", "idle", "waiting"] | None = None
    branch: Line | None = Field(default=None, max_length=250)
    capabilities: list[Capability] | None = Field(default=None, max_length=50)


class InstanceQuery(Paged):
    """Filters are exact and applied before the limit."""

    status: Literal["active", "idle", "waiting", "stale", "gone", "ended"] | None = None
    agent: AgentName | None = None
    capability: Capability | None = None
    repository: RepositorySlug | None = None


class GuardState(Reply):
    """What the guard of a run is worth, as far as was seen: ``why`` says it in a sentence.

    ``door`` is how its hooks call in: ``command``, ``http``, or empty where none ever has.
    """

    state: Literal["enforced", "advisory", "blind"]
    why: str
    door: str
    judged_at: Time | None


class Instance(Reply):
    """One run of an agent. ``handle`` is what goes into ``Interlock-Instance``."""

    id: str
    handle: str
    epoch: int
    agent: str
    tool: str
    model: str
    status: str
    lane: str
    intent: str
    repository: str | None
    branch: str
    host: str
    worktree: str
    capabilities: list[str]
    parent: str | None
    holder: str
    resumed: bool
    registered_at: Time
    last_seen: Time
    ended_at: Time | None
    cursor: str
    guard: GuardState


class InstancePage(Page):
    """Instances, newest first."""

    items: list[Instance]


class SyncQuery(Waiting):
    """``after`` is the cursor of the last answer; presenting it moves the inbox on."""

    after: Cursor | None = None


class HeldClaim(Claim):
    """A claim with the time left."""

    seconds_left: int


class Other(Reply):
    """Somebody else who is here."""

    agent: str
    instance: str
    status: str
    lane: str
    intent: str
    branch: str
    last_seen: Time


class Sync(Reply):
    """Everything an instance should know since its cursor."""

    instance: Instance
    frozen: bool
    frozen_reason: str | None
    inbox: Inbox
    claims: list[HeldClaim]
    queue: list[QueueEntry]
    others: list[Other]
    lapses_if_silent_after: Time | None


class Heartbeat(Reply):
    """Still here, and still holding these."""

    instance: Instance
    claims: list[Claim]
    unread: int
    lapses_if_silent_after: Time | None


class Ended(Reply):
    """A run that is over, and what it gave back."""

    instance: Instance
    released: list[str]
    lost: list[str]


class RosterClaim(Reply):
    """A claim in short."""

    id: str
    mode: Mode
    scopes: list[str]
    expires_at: Time


class RosterEntry(Instance):
    """Somebody who is here, with what they hold."""

    claims: list[RosterClaim]
    wakeable: bool


class Roster(Reply):
    """Who is here."""

    items: list[RosterEntry]
    total: int
