"""Tools that are about to edit at once: of those that want one file one is let through."""

import pytest

from tests.concurrency import edits, stage
from tests.concurrency.crew import Crew
from tests.making import make_place
from tests.services.guarding import events, session

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race")]


@pytest.mark.invariant("INV-29")
@pytest.mark.parametrize("locks", [True, False])
def test_of_two_first_touches_of_one_file_at_once_one_is_allowed(crew: Crew, locks: bool) -> None:
    place = make_place()
    sessions = [session(place, f"a{n}") for n in range(2)]
    for one in sessions:
        one.start()
    answers = crew.meeting([(edits.edit_at_once, (one, ("src/a.py",), locks)) for one in sessions])
    allowed = [decision for decision, _ in answers].count("allow")
    assert allowed == (1 if locks else 2), answers
    if locks:
        [refused] = [answer for decision, answer in answers if decision == "deny"]
        [winner] = [answer for decision, answer in answers if decision == "allow"]
        assert refused["findings"][0]["claim"] == winner["findings"][0]["claim"]
        stage.assert_apart(place)


@pytest.mark.invariant("INV-29")
def test_whoever_asks_and_how_often_no_path_is_allowed_to_two(crew: Crew) -> None:
    place = make_place()
    sessions = [session(place, f"a{n}") for n in range(8)]
    paths = [f"src/{n % 3}/f{n}.py" for n in range(12)]
    calls = [(edits.edit_many, ([one], paths[n:] + paths[:n])) for n, one in enumerate(sessions)]
    allowed: dict[str, set[int]] = {}
    for number, answers in enumerate(crew.race(calls)):
        for _, path, decision in answers:
            if decision == "allow":
                allowed.setdefault(path, set()).add(number)
    assert {path: len(who) for path, who in allowed.items()} == dict.fromkeys(paths, 1)
    stage.assert_apart(place)


@pytest.mark.invariant("INV-23")
def test_two_first_calls_of_one_session_at_once_are_one_run(crew: Crew) -> None:
    place = make_place()
    one = session(place, "ada", worktree="/w")
    found = crew.race([(edits.first_call, (one,)) for _ in range(6)])
    assert len(set(found)) == 1 and found[0][1] == 1
    assert len(events(place, "instance.registered")) == len(events(place, "guard.started")) == 1
