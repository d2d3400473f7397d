"""Claims, the queue, allocations, verification (claims.md; api.md, "Shapes that clients may rely on")."""

from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from coordination.api.schemas.base import (
    Body,
    Id,
    Line,
    Mode,
    Page,
    Paged,
    Problem,
    Prose,
    Query,
    Reply,
    RepositorySlug,
    Time,
    Urgency,
    Waiting,
    WaitSeconds,
    Whole,
)
from coordination.services.requests import ScopeRequest

MAX_PATHS = 20_000
MAX_SCOPES = 5_000
_MAX_TTL = 366 * 24 * 3600
# Scopes in answers say their symbols, and `narrow_to` must be taken back as it was given.
_NO_SYMBOLS: Any = Field(default_factory=list, max_length=0, description="Empty: whole files; nothing finer yet.")


class Except(Body):
    """Ground taken out of a scope."""

    pattern: str = Field(min_length=1, max_length=4096)
    symbols: list[str] = _NO_SYMBOLS


class Scope(Body):
    """Wanted ground. Patterns know ``*``, ``?``, ``**``, classes, braces and ``\\`` as escape.

    ``file:`` before a path without wildcards means that file alone, and nothing below.
    """

    repository: RepositorySlug | None = None
    pattern: str = Field(min_length=1, max_length=4096)
    symbols: list[str] = _NO_SYMBOLS
    excepts: list[Except] = Field(default_factory=list, alias="except", max_length=1000)


class Wanted(Body):
    """Ground, said simply (``paths``) or exactly (``scopes``): one of the two."""

    paths: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PATHS,
        description="Paths or `kind:name`; only `*`, `?`, `**` and a trailing `/` are special. A path covers what is"
        " below it, too; `file:` before it means that file alone.",
    )
    scopes: list[Scope] | None = Field(default=None, min_length=1, max_length=MAX_SCOPES)
    repository: RepositorySlug | None = Field(default=None, description="Absent: the project's default.")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.paths is None) == (self.scopes is None):
            raise PydanticCustomError("one_of", "send either paths or scopes")
        return self

    def requests(self) -> tuple[ScopeRequest, ...]:
        """The ground as services take it; each remembers its field for error messages."""
        if self.paths is not None:
            return tuple(
                ScopeRequest(path, None, (), True, f"paths.{number}") for number, path in enumerate(self.paths)
            )
        return scope_requests(self.scopes or [])


def scope_requests(scopes: list[Scope]) -> tuple[ScopeRequest, ...]:
    """Scopes as services take them."""
    return tuple(
        ScopeRequest(
            scope.pattern,
            scope.repository,
            tuple(e.pattern for e in scope.excepts),
            False,
            f"scopes.{number}.pattern",
        )
        for number, scope in enumerate(scopes)
    )


class ClaimCreate(Wanted):
    """Ask for ground: all of it, or nothing."""

    mode: Mode = "exclusive"
    ttl_seconds: int | None = Field(default=None, ge=1, le=_MAX_TTL)
    reason: Line = Field(default="", max_length=500)
    branch: Line = Field(default="", max_length=250)
    task: Line = Field(default="", max_length=60)
    wait_seconds: WaitSeconds | None = None
    deadline_seconds: int | None = Field(default=None, ge=1, le=7 * 24 * 3600)
    urgency: Urgency = "normal"
    takeover_reason: Prose = Field(default="", max_length=500)
    dry_run: bool = False


class ClaimCheck(Wanted):
    """Would this ground be free?"""

    mode: Mode = "exclusive"


class ClaimChange(Body):
    """Narrow a claim (scopes that lie inside its own), or change its mode."""

    scopes: list[Scope] | None = Field(default=None, min_length=1, max_length=MAX_SCOPES)
    mode: Mode | None = None


class ClaimRenew(Body):
    """Go on holding it. ``fence``, where sent, must be the claim's."""

    ttl_seconds: int | None = Field(default=None, ge=1, le=_MAX_TTL)
    fence: int | None = Field(default=None, ge=0, le=2**63 - 1)


class ClaimRelease(Body):
    """Release in bulk: these, or an instance's, or a task's. What is not held any more is passed over."""

    claim_ids: list[Id] | None = Field(default=None, min_length=1, max_length=1000)
    instance: Id | None = None
    task: Line | None = Field(default=None, min_length=1, max_length=60)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(value is not None for value in (self.claim_ids, self.instance, self.task)) != 1:
            raise PydanticCustomError("one_of", "send one of claim_ids, instance and task")
        return self


class FenceQuery(Query):
    """``fence`` is optional; one that no longer holds is 409 ``lost``."""

    fence: Whole | None = Field(default=None, ge=0, le=2**63 - 1)


class ClaimQuery(Paged):
    """Filters are exact and applied before the limit; ``path`` finds claims that cover it."""

    state: Literal["held", "lapsed", "released", "expired", "revoked", "transferred"] | None = None
    path: str | None = Field(default=None, min_length=1, max_length=4096)
    agent: Line | None = Field(default=None, max_length=80)
    instance: Id | None = None
    task: Line | None = Field(default=None, max_length=60)
    repository: RepositorySlug | None = None


class QueueQuery(Paged):
    """Filters are exact and applied before the limit."""

    state: Literal["waiting", "granted", "expired", "cancelled", "deadlocked"] | None = "waiting"


class QueueGet(Waiting):
    """``wait_seconds`` attaches to the wait: the answer comes when the entry is decided."""


class Holder(Reply):
    """Who holds it."""

    agent: str
    instance: str
    tool: str
    lane: str
    status: str
    last_seen: Time
    wakeable: bool


class HeldExcept(Reply):
    """Ground that a scope does not cover."""

    pattern: str
    symbols: list[str]


class HeldScope(Reply):
    """Ground as held: a pattern in a repository (or ``kind:name``, or ``file:path``), minus exceptions."""

    repository: str | None
    pattern: str
    symbols: list[str]
    excepts: list[HeldExcept] = Field(alias="except")


class Claim(Reply):
    """A lease over ground."""

    id: str
    state: Literal["held", "lapsed", "released", "expired", "revoked", "transferred"]
    scopes: list[HeldScope]
    mode: Mode
    holder: Holder
    reason: str
    branch: str
    task: str
    fence: int
    created_at: Time
    expires_at: Time
    lapses_if_silent_after: Time | None
    coexists_with: list[str]
    took_over: list[dict[str, Any]]
    verified: bool
    offered: bool
    narrowed: bool
    ended_at: Time | None
    ended_by: str | None
    warnings: list[str]


class QueueEntry(Reply):
    """A request that waits for ground."""

    id: str
    state: Literal["waiting", "granted", "expired", "cancelled", "deadlocked"]
    position: int
    scopes: list[HeldScope]
    mode: Mode
    holder: Holder
    waiting_for: list[str]
    urgency: Urgency
    enqueued_at: Time
    deadline: Time
    held: bool
    ended_why: str | None
    claim: Claim | None


class ClaimPage(Page):
    """Claims, oldest first."""

    items: list[Claim]


class QueuePage(Page):
    """Queue entries in their order."""

    items: list[QueueEntry]


class Conflict(Reply):
    """One thing that stands in the way."""

    wanted: str
    held: str
    repository: str | None
    blocked_by: Literal["claim", "queue_entry"]
    claim: str = Field(description="The claim, or the queue entry, that stands in the way.")
    holder: Holder
    mode: Mode
    reason: str
    branch: str
    since: Time
    expires_at: Time | None
    lapses_at: Time | None
    fence: int | None
    paths: list[str]
    symbols: list[str]
    queue_length: int


class Option(Reply):
    """A way on that the caller can take as it is; further members depend on the action."""

    model_config = ConfigDict(extra="allow")

    action: str


class Verdict(Reply):
    """What a claim would get now."""

    free: bool
    conflicts: list[Conflict]
    total: int
    narrow_to: list[HeldScope]
    coexists_with: list[str]
    would_take_over: list[str]


class Released(Reply):
    """What was given back, and what was not held any more."""

    released: list[str]
    lost: list[str]


class ConflictProblem(Problem):
    """Others hold or await this ground."""

    code: Literal["claim_conflict"]
    conflicts: list[Conflict]
    narrow_to: list[HeldScope]
    options: list[Option]
    total: int


class CircleStep(Reply):
    """One holder of a circle."""

    agent: str
    instance: str
    holds: str
    waits_for: str
    queue_entry: str | None


class DeadlockProblem(Problem):
    """Waiting would close a circle."""

    code: Literal["deadlock"]
    cycle: list[CircleStep]
    give_up: str | None


class LostProblem(Problem):
    """This claim is no longer held."""

    code: Literal["lost"]
    claim: str
    fence: int | None = None
    held_by: Holder | None
    fence_now: int | None


class ClaimRefused(Reply):
    """Why not: somebody's ground, a circle of waits, a claim that is over, or another conflict."""

    ANY_OF = (ConflictProblem, DeadlockProblem, LostProblem, Problem)


class ClaimLost(Reply):
    """Why not: the claim is over, or another conflict."""

    ANY_OF = (LostProblem, Problem)
