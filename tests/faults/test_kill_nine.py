"""kill -9 of every process in turn, under load: nothing acknowledged is lost, nothing is granted twice."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from deploy.embedded.process import wait_until
from tests.faults.load import Account, Agent
from tests.up.launched import Up

pytestmark = [pytest.mark.fault, pytest.mark.xdist_group("faults")]
_HEALS_S = 60


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    started = Up(tmp_path_factory.mktemp("faults") / "data", RATE_LIMIT_TEAM="0", RATE_LIMIT_TOKEN="0")
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


def _waiting(agent: Agent) -> int:
    return len(agent.ask("GET", "/queue?state=waiting").json()["items"])


def _events(agent: Agent, kind: str) -> Iterator[dict[str, Any]]:
    cursor = "0"
    while True:
        page = agent.ask("GET", f"/events?after={cursor}&limit=200&type={kind}").json()
        yield from page["items"]
        if page["cursor"] == cursor or page["cursor"] == page["last"]:
            return
        cursor = page["cursor"]


@pytest.mark.invariant("INV-10")
@pytest.mark.invariant("INV-12")
@pytest.mark.invariant("INV-18")
def test_a_whole_queue_is_served_once_each_in_its_order_whatever_dies(up: Up, agents: tuple[Agent, Agent]) -> None:
    """Half hold on to their request and send it again under its key, half come back to their entry."""
    account = Account(up.told)
    holder, _ = agents
    held = holder.claim("line.py").json()
    fences: dict[int, int] = {}

    def wait(number: int) -> None:
        agent = account.agent(f"waiter-{number}")
        answer = agent.claim("line.py", wait_seconds=0 if number % 2 else 300)
        while answer.status_code == 202:
            answer = agent.ask("GET", f"/queue/{answer.json()['id']}?wait_seconds=30")
            if answer.status_code == 200 and answer.json().get("claim"):
                break
        body = answer.json()
        claim = body.get("claim") or body
        assert claim["state"] == "held", body
        fences[number] = claim["fence"]
        agent.release(claim["id"])

    for number in range(6):
        account.start(f"waiter-{number}", wait, number)
        assert wait_until(lambda number=number: _waiting(holder) == number + 1, _HEALS_S), account.errors
    _kill(up, "web")
    _kill(up, "postgres")
    holder.release(held["id"])
    assert wait_until(lambda: len(fences) == 6 or bool(account.errors), _HEALS_S), (fences, account.errors)
    account.stop()
    assert [fences[number] for number in range(6)] == sorted(fences.values())
    granted = [event["subject"]["id"] for event in _events(holder, "queue.granted")]
    assert max(Counter(granted).values()) == 1, "an entry was granted twice"
    assert _waiting(holder) == 0


@pytest.mark.invariant("INV-07")
@pytest.mark.invariant("INV-12")
def test_sweeps_go_on_and_serve_whom_nobody_holds_a_connection_for(up: Up, agents: tuple[Agent, Agent]) -> None:
    holder, waiter = agents
    holder.claim("short.py", ttl_seconds=1)
    entry = waiter.claim("short.py", wait_seconds=0).json()
    for name in ("worker", "beat", "redis"):
        _kill(up, name)
    since = _sweeps(up)  # without those that have not run yet

    def served() -> bool:
        listed = waiter.ask("GET", "/queue?state=granted&limit=200").json()["items"]
        return entry["id"] in [one["id"] for one in listed]

    assert wait_until(served, _HEALS_S), up.errors()
    assert wait_until(
        lambda: all(_sweeps(up).get(name, "") > since.get(name, "") for name in ("expiry", "publication", "liveness")),
        _HEALS_S,
    ), "a sweep does not run any more"


def _sweeps(up: Up) -> dict[str, str]:
    """When each sweep last ran."""
    rows = httpx.get(f"{up.told['url']}/readyz", timeout=10).json()["sweeps"]
    return {row["name"]: row["last_run"] for row in rows}
