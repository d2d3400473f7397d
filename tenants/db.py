"""One shape for every transaction: scope, BEGIN, the team's setting, work, COMMIT, then the nudges.

READ COMMITTED everywhere; time is ``clock_timestamp()`` read after the locks (concurrency.md).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import orjson
import psycopg
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db import transaction as django_transaction
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import dict_row

from tenants.problems import Code, Problem
from tenants.scope import scope, unscoped

Row = dict[str, Any]
Cursor = psycopg.Cursor[Row]

_local = threading.local()
# Raised whenever the server was seen to be gone: every thread then drops its connection before it is used again.
_generation = 0


class Transaction:
    """An open transaction of one team: ``run`` for SQL, ``after_commit`` for what may only happen then."""

    def __init__(self, team_id: UUID, cursor: Cursor, raw: psycopg.Connection[Any]) -> None:
        self.team_id = team_id
        self.cursor = cursor
        self._raw = raw
        self._after: list[Callable[[], object]] = []

    def run(self, statement: str, parameters: Any = None) -> Cursor:
        """Send one statement on a cursor of its own; rows are dicts. In a pipeline it leaves when rows are asked for."""
        return _cursor(self._raw).execute(statement, parameters)  # type: ignore[arg-type]

    def after_commit(self, action: Callable[[], object]) -> None:
        """Call ``action`` once the transaction has committed; it is dropped on rollback."""
        self._after.append(action)

    def finish(self) -> None:
        """Run what waited for the commit."""
        for action in self._after:
            action()


@contextmanager
def transaction(team_id: UUID, *, pipelined: bool = False) -> Iterator[Transaction]:
    """Open the team's scope, a transaction and its database setting; joins one that is open for the same team.

    ``pipelined`` sends statements without waiting for each answer: for hot paths written on ``run`` alone, since the
    ORM needs row counts at once. Raises Problem ``busy`` when a lock was not had in time, ``unavailable`` when the
    database cannot be reached; nothing is stored then, unless the connection broke during COMMIT itself.
    """
    outer: Transaction | None = getattr(_local, "open", None)
    if outer is not None:
        if outer.team_id != team_id:
            raise RuntimeError("a transaction of another team is open on this thread")
        yield outer
        return
    with _translated():
        raw = _connection()
        with scope(team_id), _pipeline(raw, pipelined):
            with django_transaction.atomic(durable=True):
                cursor = _cursor(raw)
                opened = Transaction(team_id, cursor, raw)
                cursor.execute("SELECT set_config('interlock.team', %s, true)", [str(team_id)])
                _local.open = opened
                try:
                    yield opened
                finally:
                    _local.open = None
    opened.finish()


@contextmanager
def teamless(*, reason: str) -> Iterator[Cursor]:
    """A cursor for the narrow questions that come before a team is known (tenants/sql/functions.sql)."""
    with _translated():
        raw = _connection()
        with unscoped(reason=reason):
            yield _cursor(raw)


class _JsonLoader(Loader):
    """JSON as Python values; Django's connections hand it out as text, which its own fields decode."""

    def load(self, data: Buffer) -> Any:
        return orjson.loads(bytes(data))


def _cursor(raw: psycopg.Connection[Any]) -> Cursor:
    cursor = psycopg.Cursor(raw, row_factory=dict_row)
    cursor.adapters.register_loader("jsonb", _JsonLoader)
    return cursor


def _connection() -> psycopg.Connection[Any]:
    if getattr(_local, "generation", _generation) != _generation:
        connection.close()
    _local.generation = _generation
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    return raw


@contextmanager
def _pipeline(raw: psycopg.Connection[Any], wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    with raw.pipeline():
        yield


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what Postgres says into the problems that callers can act on."""
    try:
        yield
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected, psycopg.errors.QueryCanceled) as error:
        raise busy() from error
    except (psycopg.OperationalError, psycopg.InterfaceError, OperationalError, InterfaceError) as error:
        cause = error.__cause__
        if isinstance(cause, psycopg.errors.LockNotAvailable | psycopg.errors.QueryCanceled):
            raise busy() from error
        forget_connections()
        raise unavailable() from error
    except (psycopg.DatabaseError, DatabaseError):
        raise


def busy() -> Problem:
    """503 for a lock that was not had within ``lock_timeout``."""
    return Problem(Code.BUSY, headers={"Retry-After": "1"}, retry_after=1)


def unavailable() -> Problem:
    """503 for a database that cannot be reached."""
    return Problem(Code.UNAVAILABLE, headers={"Retry-After": "1"}, retry_after=1)


def forget_connections() -> None:
    """The server went away: this thread's connection is closed now, the others' before their next use."""
    global _generation  # noqa: PLW0603 - one number for the whole process is the point
    _generation += 1
    _local.generation = _generation
    connection.close()
