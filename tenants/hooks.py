"""Questions this app has to ask about things it does not know: answered by whoever is above and registers.

``tenants`` is the lowest app and imports none of the others (architecture.md), yet a repository's case
setting may only change while nothing is claimed in it (claims.md, "Patterns").
"""

from collections.abc import Callable
from uuid import UUID

from tenants.db import Transaction

# Take the project's lock exclusively: policy changes wait for grants in flight (concurrency.md, "Lock
# registry").
project_lockers: list[Callable[[Transaction, UUID], object]] = []
# Is ground in this repository claimed or waited for? Asked after the project's lock was taken.
repository_users: list[Callable[[Transaction, UUID], bool]] = []


def lock_project(tx: Transaction, project_id: UUID) -> None:
    """Let nobody decide anything in this project until the transaction ends."""
    for lock in project_lockers:
        lock(tx, project_id)


def repository_in_use(tx: Transaction, repository_id: UUID) -> bool:
    """Whether anybody holds or awaits ground in this repository."""
    return any(asked(tx, repository_id) for asked in repository_users)
