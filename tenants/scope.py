"""The second isolation net: tenant rows cannot be queried unless a team's scope is open.

``transaction()`` in tenants.db opens it together with the database setting that row-level security reads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import UUID


class NoScopeError(RuntimeError):
    """A tenant model was queried with no team in scope: a programming error, never an answer."""


class _Unscoped:
    """Marks code that reads across teams on purpose."""


UNSCOPED: Final = _Unscoped()
_current: ContextVar[UUID | _Unscoped | None] = ContextVar("interlock_team", default=None)


def current_team() -> UUID | _Unscoped:
    """The team in scope, or UNSCOPED. Raises NoScopeError where neither was opened."""
    team = _current.get()
    if team is None:
        raise NoScopeError("no team in scope: open tenants.db.transaction(team_id), or unscoped(reason=...)")
    return team


@contextmanager
def scope(team_id: UUID) -> Iterator[None]:
    """Let tenant models see this team, and only this team."""
    token = _current.set(team_id)
    try:
        yield
    finally:
        _current.reset(token)


@contextmanager
def unscoped(*, reason: str) -> Iterator[None]:
    """The only way round the net; every use is counted by a test. Row-level security still holds."""
    assert reason
    token = _current.set(UNSCOPED)
    try:
        yield
    finally:
        _current.reset(token)
