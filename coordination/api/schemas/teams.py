"""Who is asking, teams, projects, repositories, tokens, members."""

from typing import Annotated, Literal

from pydantic import Field

from coordination.api.schemas.base import (
    Body,
    Line,
    Page,
    Prose,
    Query,
    Reply,
    RepositorySlug,
    Slug,
    Time,
)

_Seconds = Annotated[int, Field(ge=0, le=366 * 24 * 3600)]
_Count = Annotated[int, Field(ge=0, le=1_000_000)]
GuardPolicy = Annotated[
    Literal["observe", "auto-claim", "strict"],
    Field(
        description="At the moment of an edit. observe: foreign ground is told, nothing is refused. auto-claim: what"
        " nobody holds is claimed by the first edit. strict: only what is held already may be edited."
    ),
]
GuardOffline = Annotated[
    Literal["open", "closed"],
    Field(description="When the guard cannot ask this server. open: the edit goes on. closed: it waits until it can."),
]
VerifyPolicy = Annotated[
    Literal["off", "warn", "enforce"],
    Field(
        description="What a verification answers. off: always pass. warn: fail for what is somebody else's, warn for"
        " what is merely not covered. enforce: fail for both."
    ),
]


class MeQuery(Query):
    """``team`` chooses among the teams of a signed-in person; a token has just one."""

    team: Slug | None = None


class ProjectCreate(Body):
    """A new project; with its first repository when that is named."""

    slug: Slug
    name: Line = Field(default="", max_length=120)
    repository: RepositorySlug | None = None
    remote: Line = Field(default="", max_length=800)


class PolicyChange(Body):
    """Absent fields stay; 0 means no such limit (claims.md, "Limits")."""

    idle_limit_seconds: _Seconds | None = None
    grace_seconds: _Seconds | None = None
    max_ttl_seconds: _Seconds | None = None
    max_claims_per_agent: _Count | None = None
    max_queued_per_agent: _Count | None = None
    takeover_needs_reason: bool | None = None
    guard_policy: GuardPolicy | None = None
    guard_offline: GuardOffline | None = None
    verify_policy: VerifyPolicy | None = None


class ProjectChange(Body):
    """Name and policy; absent fields stay."""

    name: Line | None = Field(default=None, min_length=1, max_length=120)
    policy: PolicyChange | None = None


class RepositoryCreate(Body):
    """A git repository of a project; the first one becomes its default."""

    slug: RepositorySlug
    remote: Line = Field(default="", max_length=800)
    default_branch: Line = Field(default="main", min_length=1, max_length=200)
    case_insensitive: bool = False
    is_default: bool = False


class RepositoryChange(Body):
    """Absent fields stay."""

    remote: Line | None = Field(default=None, max_length=800)
    default_branch: Line | None = Field(default=None, min_length=1, max_length=200)
    case_insensitive: bool | None = None
    is_default: bool | None = None


class FreezeCreate(Body):
    """Stop all grants in the project now."""

    reason: Prose = Field(min_length=1, max_length=500)


class Me(Reply):
    """The caller as this server sees it. ``scopes`` are its permissions; a token may end (``expires_at``)."""

    kind: str
    id: str
    name: str
    team: str
    project: str | None
    agent: str | None
    scopes: list[str]
    instance: str | None
    expires_at: Time | None


class Team(Reply):
    """A tenant. ``role`` is the asking person's, where a person asks for their teams."""

    slug: str
    name: str
    created_at: Time | None = None
    role: str | None = None


class TeamPage(Page):
    """The teams the caller can see."""

    items: list[Team]


class Policy(Reply):
    """A project's limits, where 0 means no such limit, and what its guard and its verification insist on."""

    idle_limit_seconds: int
    grace_seconds: int
    max_ttl_seconds: int
    max_claims_per_agent: int
    max_queued_per_agent: int
    takeover_needs_reason: bool
    guard_policy: GuardPolicy
    guard_offline: GuardOffline
    verify_policy: VerifyPolicy


class FrozenSince(Reply):
    """Since when, by whom and why there are no grants."""

    at: Time
    by: str
    reason: str


class Project(Reply):
    """What agents work on. ``version`` is its ETag."""

    id: str
    slug: str
    name: str
    policy: Policy
    frozen: FrozenSince | None
    version: int
    created_at: Time


class ProjectPage(Page):
    """Projects of a team, oldest first."""

    items: list[Project]


class Frozen(Reply):
    """Whether grants are stopped."""

    frozen: bool
    since: Time | None
    by: str | None
    reason: str | None


class Repository(Reply):
    """A git repository of a project. ``version`` is its ETag."""

    id: str
    slug: str
    remote: str
    default_branch: str
    case_insensitive: bool
    is_default: bool
    version: int
    created_at: Time


class RepositoryPage(Page):
    """Repositories of a project, oldest first."""

    items: list[Repository]
