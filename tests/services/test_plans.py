"""Deciding stays flat: with 100,000 held claims the hot statements still go by index, and are as few as ever."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from psycopg import sql
from psycopg.pq import Format

from coordination.engine.modes import Mode
from coordination.services import claims, instances, leases
from coordination.services.requests import ScopeRequest
from tenants import ledger
from tenants.db import Transaction, transaction
from tenants.principal import Principal
from tests.making import Place, claim, make_place
from tests.seeding import seed_agents, seed_claims, seed_events, seeded_path, unseed

pytestmark = [pytest.mark.xdist_group("plans"), pytest.mark.invariant("INV-26")]

CLAIMS = 100_000
# A look at one of these that reads everything grows with what is held.
GROWING = {"coordination_claim", "coordination_ground", "coordination_instance", "tenants_event"}
Statement = tuple[str, Any]


@pytest.fixture(scope="module")
def full() -> Iterator[tuple[Place, Principal, Principal]]:
    """A team that holds very much, and two runs in it."""
    owner = os.environ["MIGRATE_DATABASE_URL"]
    place = make_place()
    seed_claims(owner, place, CLAIMS, holders=2000)
    seed_events(owner, place, CLAIMS)
    one, other = seed_agents(owner, place, 2, name="late")
    yield place, one, other
    unseed(owner, place)


@contextmanager
def recorded() -> Iterator[list[Statement]]:
    """The statements run meanwhile in transactions of services, BEGIN and COMMIT apart."""
    run = Transaction.run
    seen: list[Statement] = []

    def note(tx: Transaction, statement: str, parameters: Any = None) -> Any:
        if transactions_of_services(statement):
            seen.append((statement, parameters))
        return run(tx, statement, parameters)

    with patch.object(Transaction, "run", note):
        yield seen


def transactions_of_services(statement: str) -> bool:
    """Whether a statement is asked for by a service; background threads of this process number and touch meanwhile."""
    return not any(word in statement for word in ("tenants_ledgerhead", "SELECT set_config", "last_used_at"))


def test_nothing() -> None:
    raise NotImplementedError
