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
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.rows import dict_row

from tenants.problems import Code, Problem
from tenants.scope import scope, unscoped

Row = dict[str, Any]
Cursor = psycopg.Cursor[Row]

_local = threading.local()
_TIMES = psycopg.adapters.get_loader(psycopg.adapters.types["timestamptz"].oid, Format.TEXT)
# Raised whenever the server was seen to be gone: every thread then drops its connection before it is used again.
_generation = 0


class Rows:
    """What a statement answered, already read."""

    __slots__ = ("_rows", "rowcount")

    def __init__(self, rows: list[Row], rowcount: int) -> None:
        self._rows = rows
        self.rowcount = rowcount

    def fetchall(self) -> list[Row]:
        """Every row."""
        return self._rows

    def fetchone(self) -> Row | None:
        """The first row, or None."""
        return self._rows[0] if self._rows else None


class Transaction:
    """An open transaction of one team: ``run`` for SQL, ``after_commit`` for what may only happen then."""

    __slots__ = ("_after", "_cursor", "team_id")

    def __init__(self, team_id: UUID, cursor: Cursor) -> None:
        self.team_id = team_id
        self._cursor = cursor
        self._after: list[Callable[[], object]] = []

    def run(self, statement: str, parameters: Any = None, *, prepare: bool | None = None) -> Rows:
        """Run one statement, prepared on the server once it has come a few times; rows are dicts.

        ``prepare=False`` has it planned each time, by the table as it is now.
        """
        cursor = self._cursor.execute(statement, parameters, prepare=prepare)
        result = cursor.pgresult
        return Rows(cursor.fetchall() if result is not None and result.nfields else [], cursor.rowcount)

    def after_commit(self, action: Callable[[], object]) -> None:
        """Call ``action`` once the transaction has committed; it is dropped on rollback."""
        self._after.append(action)

    def finish(self) -> None:
        """Run what waited for the commit."""
        for action in self._after:
            action()


@contextmanager
def transaction(team_id: UUID, *, lean: bool = False) -> Iterator[Transaction]:
    """Open the team's scope, a transaction and its database setting; joins one that is open for the same team.

    ``lean`` is for hot paths written on ``run`` alone: BEGIN and COMMIT go straight to the server, past Django's
    bookkeeping, so the ORM must not be used inside. Raises Problem ``busy`` when a lock was not had in time,
    ``unavailable`` when the database cannot be reached; nothing is stored then, unless the connection broke during
    COMMIT itself (an idempotency key tells what happened).
    """
    outer: Transaction | None = getattr(_local, "open", None)
    if outer is not None:
        if outer.team_id != team_id:
            raise RuntimeError("a transaction of another team is open on this thread")
        yield outer
        return
    with _translated():
        raw = _connection()
        opened = Transaction(team_id, _cursor(raw))
        with scope(team_id), _lean(raw, team_id) if lean else _whole(opened):
            _local.open = opened
            try:
                yield opened
            finally:
                _local.open = None
    opened.finish()


def in_transaction() -> bool:
    """Whether a transaction is open on this thread."""
    return getattr(_local, "open", None) is not None


@contextmanager
def _whole(opened: Transaction) -> Iterator[None]:
    with django_transaction.atomic(durable=True):
        opened.run("SELECT set_config('interlock.team', %s, true)", [str(opened.team_id)])
        yield


@contextmanager
def _lean(raw: psycopg.Connection[Any], team_id: UUID) -> Iterator[None]:
    assert isinstance(team_id, UUID)  # it goes into the statement as text
    _command(raw, f"BEGIN; SET LOCAL interlock.team = '{team_id}'".encode())
    try:
        yield
    except BaseException:
        if raw.pgconn.transaction_status != TransactionStatus.IDLE and not raw.broken:
            raw.pgconn.exec_(b"ROLLBACK")
        raise
    _command(raw, b"COMMIT")


def _command(raw: psycopg.Connection[Any], command: bytes) -> None:
    result = raw.pgconn.exec_(command)
    if result.status != ExecStatus.COMMAND_OK:
        if raw.broken:  # the result of a lost connection has no code of its own
            raise psycopg.OperationalError("the connection is lost")
        raise psycopg.errors.error_from_result(result)


@contextmanager
def teamless(*, reason: str) -> Iterator[Cursor]:
    """A cursor for the narrow questions that come before a team is known (tenants/sql/functions.sql)."""
    with _translated():
        raw = _connection()
        with unscoped(reason=reason):
            yield psycopg.Cursor(raw, row_factory=dict_row)


class _JsonLoader(Loader):
    """JSON as Python values; Django's connections hand it out as text, which its own fields decode."""

    def load(self, data: Buffer) -> Any:
        return orjson.loads(bytes(data))


def _cursor(raw: psycopg.Connection[Any]) -> Cursor:
    """This thread's cursor: rows are read at once, so one serves every statement of a connection."""
    kept: tuple[psycopg.Connection[Any], Cursor] | None = getattr(_local, "cursor", None)
    if kept is not None and kept[0] is raw:
        return kept[1]
    cursor = psycopg.Cursor(raw, row_factory=dict_row)
    cursor.adapters.register_loader("jsonb", _JsonLoader)
    cursor.adapters.register_loader("json", _JsonLoader)
    # psycopg's own loader, in C; Django's connections have one in Python, for time zones that we do not use.
    assert _TIMES is not None
    cursor.adapters.register_loader("timestamptz", _TIMES)
    _local.cursor = (raw, cursor)
    return cursor


def _connection() -> psycopg.Connection[Any]:
    if getattr(_local, "generation", _generation) != _generation:
        connection.close()
    _local.generation = _generation
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    return raw


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
