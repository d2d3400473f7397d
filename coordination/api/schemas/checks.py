"""Allocated numbers and verification (claims.md, "Patterns" and "Verification")."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from coordination.api.schemas.base import Body, Id, Line, Page, Paged, Reply, RepositorySlug, Time
from coordination.api.schemas.claims import MAX_SCOPES, Holder

_Blob = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})?$")]
_Patch = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{0,64}$")]


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
    """One changed path. The same path twice is one change, or wrong where the two differ."""

    path: str = Field(min_length=1, max_length=4096)
    blob: _Blob = Field(default="", description="Git object id of the content; all zeros for a deletion.")
    patch: _Patch = Field(default="", description="Digest of the path's own changed lines, to be attested with it.")
    patches: list[_Patch] = Field(
        default_factory=list,
        max_length=10_000,
        description="One such digest for each commit of a range that touched the path.",
    )


class VerifyCreate(Body):
    """Are these changes covered by this instance's claims?"""

    repository: RepositorySlug | None = None
    changes: list[VerifyChange] = Field(min_length=1, max_length=MAX_SCOPES)
    instance: Id | None = Field(default=None, description="Absent: any live claim covers, unless a run acts.")
    attest: bool = Field(
        default=False,
        description="Store of every covered path that it was. Needs a run that acts, `coordinate`, and every `blob`.",
    )
    against: Literal["claims", "attestations"] = Field(
        default="claims", description="attestations: ask what was stored, and the claims only for the rest."
    )
    branch: Line = Field(default="", max_length=250)
    task: Line = Field(default="", max_length=60)


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


class Attested(Reply):
    """Who said that it was covered, and when."""

    agent: str
    instance: str
    at: Time


class Finding(Reply):
    """What covers one path, or does not. ``by`` is there where it is attested."""

    path: str
    status: Literal["covered", "attested", "lapsed", "held_by_other", "unclaimed", "exempt"]
    claim: str | None
    fence: int | None
    holder: Holder | None
    expires_at: Time | None
    by: Attested | None


class Verification(Reply):
    """Whether the changes are covered, path by path, and what the project's policy makes of it.

    ``failed`` counts the paths that are neither covered, attested nor exempt, ``attested`` what was newly stored.
    """

    verdict: Literal["pass", "warn", "fail"]
    policy: Literal["off", "warn", "enforce"]
    repository: str
    findings: list[Finding]
    failed: int
    attested: int
