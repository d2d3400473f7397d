"""The floor under claim and release: the very statements the services send, from a bare psycopg pool.

Nothing is retyped: one real claim and one real release per worker are run through the services in this process, their
statements and parameters are recorded, and replayed with fresh ids. So the floor follows the code by itself. Of two
ways to drive a pool (threads, asyncio) the faster one counts.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

Statement = tuple[str, Any]
_COMMIT = b"COMMIT"


class Cycle:
    """The recorded statements of one claim and of its release, to be replayed with ids of their own."""

    def __init__(self, team_id: UUID, claim: list[Statement], release: list[Statement], fresh: list[UUID]) -> None:
        self.begin = f"BEGIN; SET LOCAL interlock.team = '{team_id}'"
        self._transactions = (claim, release)
        self._recorded = fresh

    def anew(self) -> list[list[Statement]]:
        """Both transactions, with every id that the recording made exchanged for a new one."""
        from tenants import ids

        change: dict[Any, Any] = {}
        for old in self._recorded:
            new = ids.new_id()
            change |= {old: new, str(old): str(new), ids.show("clm", old): ids.show("clm", new)}
        texts = [(old, new) for old, new in change.items() if isinstance(old, str)]
        return [[(text, _changed(values, change, texts)) for text, values in part] for part in self._transactions]


def _changed(value: Any, change: dict[Any, Any], texts: Sequence[tuple[str, str]]) -> Any:
    if isinstance(value, UUID):
        return change.get(value, value)
    if isinstance(value, str):
        for old, new in texts:
            value = value.replace(old, new)
        return value
    if isinstance(value, dict):
        return {key: _changed(item, change, texts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_changed(item, change, texts) for item in value]
    return value


def record(place: Any, number: int) -> Cycle:
    """What one agent's claim and release of a file of its own send to the database."""
    from coordination.services import leases
    from tests.making import claim

    agent = place.agent(f"bare-{number}")
    path = f"src/bare-{number}/module/file.py"
    leases.release(agent, "main", claim(agent, path).body["id"])  # whatever is looked up once is looked up now
    with _recording() as (statements, fresh):
        held = claim(agent, path).body["id"]
        claimed = statements[:]
        statements.clear()
        leases.release(agent, "main", held)
        return Cycle(place.team_id, claimed, statements[:], fresh)


@contextmanager
def _recording() -> Iterator[tuple[list[Statement], list[UUID]]]:
    from tenants import ids
    from tenants.db import Transaction

    statements: list[Statement] = []
    fresh: list[UUID] = []
    run, new_id = Transaction.run, ids.new_id
    here = threading.get_ident()

    def running(self: Transaction, statement: str, parameters: Any = None, **more: Any) -> Any:
        if threading.get_ident() == here:  # the publisher's thread is not part of the request
            statements.append((statement, parameters))
        return run(self, statement, parameters, **more)

    def making() -> UUID:
        fresh.append(new_id())
        return fresh[-1]

    Transaction.run, ids.new_id = running, making  # type: ignore[method-assign]
    try:
        yield statements, fresh
    finally:
        Transaction.run, ids.new_id = run, new_id  # type: ignore[method-assign]


def by_threads(url: str, cycles: Sequence[Cycle], seconds: float, connections: int) -> float:
    """Cycles a second of this many threads, each taking a connection of the pool for each transaction."""
    done = [0] * connections
    with ConnectionPool(url, min_size=connections, max_size=connections, kwargs=_KWARGS) as pool:
        pool.wait()
        deadline = time.perf_counter() + seconds

        def work(number: int) -> None:
            mine = cycles[number::connections]
            while time.perf_counter() < deadline:
                for cycle in mine:
                    for part in cycle.anew():
                        with pool.connection() as connection:
                            _transact(connection, cycle.begin.encode(), part)
                    done[number] += 1

        threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done) / (time.perf_counter() - started)


_KWARGS = {"autocommit": True, "prepare_threshold": 3, "row_factory": dict_row}


def _transact(connection: "psycopg.Connection[Any]", begin: bytes, part: list[Statement]) -> None:
    connection.pgconn.exec_(begin)
    for text, values in part:
        cursor = connection.execute(text, values)  # type: ignore[arg-type]
        if cursor.description:
            cursor.fetchall()
    connection.pgconn.exec_(_COMMIT)


async def by_tasks(url: str, cycles: Sequence[Cycle], seconds: float, connections: int) -> float:
    """Cycles a second of one asyncio task per worker over a pool."""
    done = 0
    async with AsyncConnectionPool(url, min_size=connections, max_size=connections, kwargs=_KWARGS) as pool:
        await pool.wait()
        started = time.perf_counter()
        deadline = started + seconds

        async def work(cycle: Cycle) -> None:
            nonlocal done
            while time.perf_counter() < deadline:
                for part in cycle.anew():
                    async with pool.connection() as connection:
                        await connection.execute(cycle.begin)  # type: ignore[arg-type]
                        for text, values in part:
                            cursor = await connection.execute(text, values)  # type: ignore[arg-type]
                            if cursor.description:
                                await cursor.fetchall()
                        await connection.execute("COMMIT")
                done += 1

        await asyncio.gather(*(work(cycle) for cycle in cycles))
        return done / (time.perf_counter() - started)
