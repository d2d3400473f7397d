"""Allocated numbers and verification (claims.md, "Patterns" and "Verification")."""

from typing import Literal

from pydantic import Field

from coordination.api.schemas.base import Body, Id, Line, Page, Paged, Reply, RepositorySlug, Time
from coordination.api.schemas.claims import MAX_SCOPES, Holder


class AllocationCreate(Body):
    """A number that nobody else gets."""

    class Range(Body):
        """Both ends belong to it."""

        first: int = Field(ge=0, le=2**53)
        last: int = Field(ge=0, le=2**53)

    pool: Line = Field(min_length=1, max_length=40)
    range: Range | None = None
    repository: RepositorySlug | None = None
    host: Line | None = Field(default=None, max_length=200)
    reason: Line = Field(default="", max_length=500)


class AllocationQuery(Paged):
    """Filters are exact and applied before the limit."""

    pool: Line | None = Field(default=None, max_length=40)


class VerifyChange(Body):
    """One changed path; ``blob`` is its git object id."""

    path: str = Field(min_length=1, max_length=4096)
    blob: Line = Field(default="", max_length=64)


class VerifyCreate(Body):
    """Are these changes covered by this instance's claims?"""

    repository: RepositorySlug | None = None
    changes: list[VerifyChange] = Field(min_length=1, max_length=MAX_SCOPES)
    instance: Id | None = None


class Allocation(Reply):
    """A number in a pool."""

    id: str
    pool: str
    number: int
    agent: str
    instance: str
    repository: str | None
    host: str | None
    reason: str
    created_at: Time
    released_at: Time | None


class AllocationPage(Page):
    """Numbers, newest first."""

    items: list[Allocation]


class Finding(Reply):
    """What covers one path, or does not."""

    path: str
    status: Literal["covered", "lapsed", "held_by_other", "unclaimed"]
    claim: str | None
    fence: int | None
    holder: Holder | None
    expires_at: Time | None


class Verification(Reply):
    """Whether the changes are covered, path by path."""

    verdict: Literal["pass", "warn", "fail"]
    repository: str
    findings: list[Finding]
    failed: int
