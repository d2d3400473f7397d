"""The guard: what a hook call asks, and what it is answered (agent.md, "Enforcement at the moment of the edit")."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from coordination.api.schemas.agents import Instance
from coordination.api.schemas.base import AgentName, Body, Id, Line, Prose, Reply, RepositorySlug, Time
from coordination.api.schemas.claims import Holder

MAX_TOUCHES = 500
MAX_DIRTY = 2000
Path = Annotated[Prose, StringConstraints(min_length=1, max_length=4096)]
Event = Literal["session_start", "prompt", "pre_tool", "post_tool", "stop", "session_end"]


class GuardTouch(Body):
    """A path of the repository that is about to be written or deleted; a slash at its end means a folder."""

    path: Path
    action: Literal["write", "delete"] = "write"


class GuardDanger(Body):
    """A git command that acts on more than files: ``paths`` limit it, without them it is the whole checkout."""

    verb: Line = Field(min_length=1, max_length=200)
    paths: list[Path] = Field(default_factory=list, max_length=MAX_TOUCHES)
    what: Literal["worktree", "index", "stash", "head"]


class GuardCreate(Body):
    """One hook call. Paths are relative to the repository; contents of files have no place here."""

    event: Event
    session: Line = Field(default="", max_length=200, description="The tool's own id of the session.")
    agent: AgentName | None = Field(
        default=None, description="Absent: the agent the token is bound to, else the tool's name."
    )
    tool: Line = Field(default="", max_length=60)
    model: Line = Field(default="", max_length=120)
    worktree: Line | None = Field(default=None, max_length=1024)
    host: Line = Field(default="", max_length=200)
    branch: Line = Field(default="", max_length=250)
    repository: RepositorySlug | None = None
    parent: Id | None = Field(
        default=None, description="`session_start`: the instance of an earlier session of the same process."
    )
    source: Line = Field(default="", max_length=200, description="Why a session began or ended, in the tool's word.")
    touches: list[GuardTouch] = Field(default_factory=list, max_length=MAX_TOUCHES)
    dangers: list[GuardDanger] = Field(default_factory=list, max_length=50)
    dirty: list[Path] = Field(
        default_factory=list, max_length=MAX_DIRTY, description="`post_tool`: what changed in the checkout."
    )
    opaque: bool = Field(default=False, description="A command whose writes could not be read off.")


class GuardFinding(Reply):
    """What one path is: whose, by which claim, until when."""

    path: str
    status: Literal["covered", "claimed", "free", "unclaimed", "held_by_other", "lapsed", "probe", "exempt"]
    claim: str | None
    fence: int | None
    holder: Holder | None
    expires_at: Time | None


class GuardCheck(Reply):
    """What the guard of a run is worth, with the probe that was planted: a path that is always refused."""

    state: Literal["enforced", "advisory", "blind"]
    why: str
    door: str
    probe: str
    judged_at: Time | None


class GuardAnswer(Reply):
    """The decision. A denial is an answer: ``reason`` says who, until when, what next; ``context`` is for the model.

    ``cache_seconds``: for how long the covered paths may be taken for covered without asking. ``offline`` is what to do
    when the server cannot be asked.
    """

    decision: Literal["allow", "deny", "ask"]
    reason: str
    context: str
    policy: Literal["observe", "auto-claim", "strict"]
    offline: Literal["open", "closed"]
    cache_seconds: int
    instance: Instance | None = Field(description="The run that called; null for the end of a session nobody knows.")
    findings: list[GuardFinding]
    guard: GuardCheck
