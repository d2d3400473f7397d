"""kill -9 of every process in turn, under load: nothing acknowledged is lost, nothing is granted twice."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.embedded.process import wait_until
from tests.faults.load import Account, Agent
from tests.up.launched import Up

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("faults")]
_HEALS_S = 60


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    started = Up(tmp_path / "data", RATE_LIMIT_TEAM="0", RATE_LIMIT_TOKEN="0")
    yield started
    started.stop()


def _kill(up: Up, name: str) -> None:
    """kill -9 a child, and wait until another does its work."""
    dead = up.children()[name]
    os.kill(dead, signal.SIGKILL)
    assert wait_until(lambda: up.children().get(name, dead) != dead and up.answers(), _HEALS_S), up.errors()


def _held(agent: Agent) -> dict[str, str]:
    """Every held claim with its path."""
    found: dict[str, str] = {}
    cursor = ""
    while True:
        page = agent.ask("GET", f"/claims?state=held&limit=200{cursor}").json()
        found |= {claim["id"]: claim["scopes"][0]["pattern"] for claim in page["items"]}
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@pytest.fixture
def agents(up: Up) -> Iterator[tuple[Agent, Agent]]:
    pair = Agent(up.told, "holder"), Agent(up.told, "waiter")
    yield pair
    for agent in pair:
        agent.close()


@pytest.mark.invariant("INV-20")
@pytest.mark.invariant("INV-12")
@pytest.mark.invariant("INV-13")
def test_nothing_acknowledged_is_lost_and_nothing_granted_twice(up: Up, agents: tuple[Agent, Agent]) -> None:
    account = Account(up.told)
    holder, waiter = agents
    hot = holder.claim("hot.py").json()
    served: list[int] = []
    account.start("waiter", lambda: served.append(waiter.claim("hot.py", wait_seconds=300).status_code))
    account.start("reader", account.read)
    for number in range(4):
        account.start(f"worker-{number}", account.work, number)
    for name in ("web", "postgres", "redis", "worker", "web"):
        before = account.answers
        assert wait_until(lambda before=before: account.answers > before + 8, _HEALS_S), account.errors
        _kill(up, name)
    before = account.answers
    assert wait_until(lambda: account.answers > before + 8, _HEALS_S), account.errors
    holder.release(hot["id"])
    assert wait_until(lambda: bool(served), _HEALS_S), "the waiter was lost"
    account.stop()

    assert waiter.failures, "the waiter's connection never broke: the faults did not reach it"
    assert served == [201]
    held = _held(holder)
    assert account.kept.items() <= held.items(), "an acknowledged claim is gone"
    assert Counter(held.values()).most_common(1)[0][1] == 1, "two hold one path"
    assert account.cursors == list(range(1, len(account.cursors) + 1)), "a reader missed or repeated an event"
    last = holder.ask("GET", "/events?limit=1").json()["last"]
    assert len(account.cursors) <= int(last)
