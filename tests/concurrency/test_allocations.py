"""The allocator under a race: with its lock off numbers collide."""

import pytest

from tests.concurrency import acts, stage
from tests.concurrency.crew import Crew
from tests.making import make_place

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race"), pytest.mark.invariant("INV-22")]


@pytest.mark.parametrize("locks", [True, False])
def test_numbers_asked_for_at_once_are_each_given_once(crew: Crew, locks: bool) -> None:
    place = make_place()
    answers = crew.meeting([(acts.allocate_at_once, (place.agent(f"a{n}"), locks)) for n in range(8)])
    numbers = sorted(body["number"] for kind, body in answers if kind == "created")
    if locks:
        assert numbers == list(range(1, 9)), answers
    else:
        assert "collided" in {kind for kind, _ in answers}


def test_numbers_given_back_are_given_again_and_never_twice_at_a_time(crew: Crew) -> None:
    place = make_place()
    agents = [place.agent(f"a{n}") for n in range(8)]
    logs = crew.race([(acts.allocate_and_release, (agent, 20, 1, 5)) for agent in agents])
    spans = sorted((start, end, number) for log in logs for number, start, end in log)
    assert len(spans) >= 20
    last: dict[int, int] = {}
    for start, end, number in spans:
        assert last.get(number, 0) <= start, "a number was given to two at a time"
        last[number] = end
    assert stage.query(
        place,
        "SELECT count(*) AS many FROM coordination_allocation WHERE released_at IS NULL AND team_id = %s",
        place.team_id,
    ) == [{"many": 0}]
