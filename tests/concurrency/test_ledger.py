"""The ledger under races: what committed is numbered once, whoever dies in between."""

import pytest

from coordination.services import sweeping
from tenants import ledger
from tests.concurrency import acts, stage
from tests.concurrency.crew import Crew
from tests.concurrency.watching import blocked, holding, until
from tests.making import Place, claim, make_place

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race"), pytest.mark.invariant("INV-13")]


def _numbers(place: Place) -> list[int | None]:
    rows = stage.query(
        place, "SELECT seq FROM tenants_event WHERE team_id = %s AND project_id IS NOT NULL ORDER BY id", place.team_id
    )
    return [row["seq"] for row in rows]


@pytest.mark.invariant("INV-14")
def test_a_process_killed_between_commit_and_number_leaves_it_to_the_sweep(crew: Crew) -> None:
    place = make_place()
    a = place.agent("a")
    with crew.doomed() as worker:
        worker.call(acts.claim_unpublished, a, ("x.py",))
        worker.kill()
    until(lambda: _numbers(place)[:-1].count(None) == 0, "the registration is not numbered")
    assert _numbers(place)[-1] is None
    sweeping.publication()
    until(lambda: None not in _numbers(place), "the sweep does not number it")
    assert stage.kinds(place) == ["instance.registered", "claim.granted"]
    assert sorted(_numbers(place)) == [1, 2]


def test_a_publisher_killed_while_it_numbers_loses_nothing(crew: Crew) -> None:
    place = make_place()
    a = place.agent("a")
    for n in range(5):
        claim(a, f"{n}.py")
    until(lambda: None not in _numbers(place), "it is not published")
    with crew.doomed() as worker:
        worker.call(acts.claim_unpublished, a, ("y.py",))
        with holding("SELECT 1 FROM tenants_event WHERE team_id = %s AND seq IS NULL FOR UPDATE", place.team_id):
            worker.start(acts.publish, place)
            until(lambda: blocked([worker.name]), "it does not number")
            worker.kill()
    until(lambda: ledger.publish(place.team_id, place.project_id) is not None, "the dead publisher keeps its turn")
    assert sorted(_numbers(place)) == list(range(1, 8))
    assert [row["seq"] for row in stage.told(place)] == list(range(1, 8))


@pytest.mark.parametrize("turns", [True, False])
def test_taking_turns_is_what_gives_each_event_a_number_of_its_own(crew: Crew, turns: bool) -> None:
    place = make_place()
    a = place.agent("a")
    until(lambda: None not in _numbers(place), "it is not published")
    slow, other = crew.workers(2)
    other.call(acts.claim_unpublished, a, ("1.py",))
    slow.start(acts.publish_slowly, place, turns, 3)
    until(crew.looked, "it does not get its turn")
    assert other.call(acts.publish, place) == (None if turns else 2)
    other.call(acts.claim_unpublished, a, ("2.py",))
    assert slow.result() == (3 if turns else "collided")
    assert (sorted(_numbers(place), key=bool) == [1, 2, 3]) is turns


def test_a_reader_sees_every_event_of_a_race_once_in_one_order(crew: Crew) -> None:
    place = make_place()
    agents = [place.agent(f"a{n}") for n in range(6)]
    workers = crew.workers(8)
    for reader in workers[6:]:
        reader.start(acts.read_until, place, "topic.over")
    for worker, agent in zip(workers, agents, strict=False):
        worker.start(acts.hammer, agent, "hot.py", 20)
    for worker in workers[:6]:
        worker.result()
    acts.tell(agents[0], "over")
    seen, same = (reader.result() for reader in workers[6:])
    assert seen == same
    assert [cursor for cursor, _, _ in seen] == list(range(1, len(seen) + 1))
    kinds = [kind for _, kind, _ in seen]
    assert kinds.count("claim.granted") == kinds.count("claim.released") == stage.claims_made(place) > 0
