"""What statements a call runs, and what Postgres does for each: its plan with and without knowing the values."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest.mock import patch
from uuid import UUID

from psycopg import sql

from tenants.db import Rows, Transaction

_NAMED = re.compile(r"%\((\w+)\)s|%s|%%")
_TYPES = {bool: "bool", float: "float8", UUID: "uuid", datetime: "timestamptz"}


@dataclass(frozen=True)
class Step:
    """One node of a plan that reads a table: how, and how many rows it went through."""

    statement: str
    generic: bool
    node: str
    table: str
    rows: float


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that this thread runs meanwhile, BEGIN, COMMIT and the team's setting apart."""
    seen: list[str] = []

    def note(tx: Transaction, run: Callable[..., Rows], statement: str, parameters: Any) -> None:
        seen.append(statement)

    with _watching(note):
        yield seen


@contextmanager
def plans() -> Iterator[list[Step]]:
    """What this thread's statements do to the tables meanwhile. Each is run twice more and undone, before it runs."""
    seen: list[Step] = []

    def note(tx: Transaction, run: Callable[..., Rows], statement: str, parameters: Any) -> None:
        for generic in (False, True):
            run(tx, "SAVEPOINT explaining")
            try:
                explain = _explain_generic if generic else _explain
                [row] = explain(tx, run, statement, parameters).fetchall()
            finally:
                run(tx, "ROLLBACK TO explaining")
            seen.extend(_steps(statement, generic, row["QUERY PLAN"][0]["Plan"]))

    with _watching(note):
        yield seen


@contextmanager
def _watching(note: Callable[[Transaction, Callable[..., Rows], str, Any], None]) -> Iterator[None]:
    original = Transaction.run
    mine = threading.get_ident()

    def run(tx: Transaction, statement: str, parameters: Any = None, **more: Any) -> Rows:
        # Background threads write down presence and number the ledger meanwhile.
        if threading.get_ident() == mine and "set_config" not in statement:
            note(tx, original, statement, parameters)
        return original(tx, statement, parameters, **more)

    with patch.object(Transaction, "run", run):
        yield


def _explain(tx: Transaction, run: Callable[..., Rows], statement: str, parameters: Any) -> Rows:
    return run(tx, f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters, prepare=False)


def _explain_generic(tx: Transaction, run: Callable[..., Rows], statement: str, parameters: Any) -> Rows:
    text, values = _numbered(statement, parameters)
    types = ", ".join(_type(value) for value in values)
    literals = ", ".join(sql.Literal(value).as_string() for value in values)
    run(tx, "SET LOCAL plan_cache_mode = force_generic_plan")
    run(tx, f"PREPARE explained{f'({types})' if values else ''} AS {text}")
    try:
        return run(tx, f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE explained{f'({literals})' if values else ''}")
    finally:
        run(tx, "DEALLOCATE explained")


def _numbered(statement: str, parameters: Any) -> tuple[str, list[Any]]:
    """A statement with ``$1`` for its placeholders, and their values."""
    names: list[Any] = []
    values: list[Any] = []

    def number(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        name = found[1] or len(values)
        if name not in names:
            names.append(name)
            values.append(parameters[name])
        return f"${names.index(name) + 1}"

    return (_NAMED.sub(number, statement), values) if parameters else (statement, [])


def _type(value: Any) -> str:
    """As the driver says it; ``unknown`` lets Postgres find out."""
    if isinstance(value, list):
        return f"{_type(value[0]).replace('unknown', 'text')}[]" if value else "unknown"
    if type(value) is int:
        return "int" if abs(value) < 1 << 31 else "bigint"
    return _TYPES.get(type(value), "unknown")


def _steps(statement: str, generic: bool, node: dict[str, Any]) -> Iterator[Step]:
    for below in node.get("Plans", ()):
        yield from _steps(statement, generic, below)
    if table := node.get("Relation Name"):
        removed = sum(number for name, number in node.items() if name.startswith("Rows Removed by"))
        rows = (node["Actual Rows"] + removed) * node["Actual Loops"]
        yield Step(" ".join(statement.split())[:160], generic, node["Node Type"], table, rows)
