"""What callers ask for, as plain typed values: every door fills these in."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScopeRequest:
    """Wanted ground as the caller wrote it. ``literal_syntax`` is true for ``paths`` (fewer special characters)."""

    pattern: str
    repository: str | None = None
    excepts: tuple[str, ...] = ()
    literal_syntax: bool = False
    field: str = "paths"


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """A request for ground. Seconds everywhere; ``None`` means the default (claims.md).

    ``wait_seconds``: None answers at once, 0 enqueues and answers, more holds the request.
    """

    scopes: tuple[ScopeRequest, ...]
    repository: str | None = None
    mode: str = "exclusive"
    ttl_seconds: int | None = None
    reason: str = ""
    branch: str = ""
    task: str = ""
    wait_seconds: int | None = None
    deadline_seconds: int | None = None
    urgency: str = "normal"
    takeover_reason: str = ""
    dry_run: bool = False
    idempotent: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """One changed path of a verification.

    ``blob`` is the git object id of its content, all zeros for a deletion, '' where unknown; ``patch`` a digest of the
    path's own changed lines; ``patches`` one such digest for each commit of a range that touched the path.
    """

    path: str
    blob: str = ""
    patch: str = ""
    patches: tuple[str, ...] = ()
