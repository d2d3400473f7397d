"""What the hot paths cost the database, in statements; docs/architecture.md says these figures."""

import threading
from collections.abc import Callable, Iterator

import pytest

from coordination.services import claims, leases, presence
from coordination.services.requests import ScopeRequest
from tenants import db
from tests.making import Place, claim
from tests.services.guarding import session

Counted = Callable[[], list[str]]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    """What this thread has sent since it was last asked; the threads behind it publish and wake on their own."""
    sent: list[str] = []
    here = threading.get_ident()
    run, command = db.Transaction.run, db._command

    def counted_run(self: db.Transaction, statement: str, *arguments: object, **more: object) -> db.Rows:
        if threading.get_ident() == here:
            sent.append(" ".join(statement.split())[:60])
        return run(self, statement, *arguments, **more)  # type: ignore[arg-type]

    def counted_command(raw: object, text: bytes) -> None:
        if threading.get_ident() == here:
            sent.append(text.decode().partition(" interlock.team")[0])
        command(raw, text)  # type: ignore[arg-type]

    monkeypatch.setattr(db.Transaction, "run", counted_run)
    monkeypatch.setattr(db, "_command", counted_command)

    def taken() -> list[str]:
        found = sent.copy()
        sent.clear()
        return found

    yield taken


def test_a_claim_over_free_ground_is_three_statements_and_a_release_two(place: Place, statements: Counted) -> None:
    agent = place.agent("a")
    claim(agent, "first.py")  # project, repositories and the agent's root are remembered from here on
    statements()
    held = claim(agent, "src/a.py", "src/b.py", "docs/**")
    begin, *work, commit = statements()
    assert (begin, len(work), commit) == ("BEGIN; SET LOCAL", 3, "COMMIT")
    leases.release(agent, "main", held.body["id"])
    begin, *work, commit = statements()
    assert (begin, len(work), commit) == ("BEGIN; SET LOCAL", 2, "COMMIT")


def test_what_is_held_elsewhere_changes_nothing(place: Place, statements: Counted) -> None:
    one, other = place.agent("one"), place.agent("other")
    claim(other, "warm.py")
    for number in range(30):
        claim(one, f"held/{number}.py")
    statements()
    claim(other, "mine.py")
    assert len(statements()) == 5


def test_a_refusal_is_four_statements_however_many_conflicts_it_lists(place: Place, statements: Counted) -> None:
    one, other = place.agent("one"), place.agent("other")
    claim(other, "warm.py")
    for number in range(20):
        claim(one, f"src/{number}.py")
    statements()
    assert claim(other, "src/**").body["total"] == 20
    assert len(statements()) == 2 + 4


def test_an_edit_that_own_ground_covers_is_two_statements_and_writes_nothing(place: Place, statements: Counted) -> None:
    ada = session(place, "ada")
    ada.start()
    ada.edit("src/a.py", "src/b.py")
    presence.flush()
    for asking in (ada, ada.holding(ada.call("prompt")["instance"]["handle"])):
        statements()
        assert asking.edit("src/a.py", "src/b.py")["decision"] == "allow"
        begin, *work, commit = statements()
        assert (begin, len(work), commit) == ("BEGIN; SET LOCAL", 2, "COMMIT")
        assert all(statement.startswith("SELECT") for statement in work)


def test_a_first_touch_is_a_look_and_a_claim(place: Place, statements: Counted) -> None:
    ada = session(place, "ada")
    ada.edit("warm.py")
    statements()
    assert ada.edit("fresh.py")["findings"][0]["status"] == "claimed"
    assert len(statements()) == (2 + 1) + (2 + 3)


def test_a_check_is_one_statement(place: Place, statements: Counted) -> None:
    agent = place.agent("a")
    claim(agent, "first.py")
    statements()
    assert claims.check(agent, "main", scopes=(ScopeRequest("src/**"),)).body["free"]
    assert len(statements()) == 2 + 1
