"""Freezing waits for grants in flight, and none comes after it."""

import pytest

from coordination.services import freeze
from tests.concurrency import acts, stage
from tests.concurrency.crew import Crew
from tests.concurrency.watching import blocked, holding, until
from tests.making import claim, make_place

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race"), pytest.mark.invariant("INV-21")]


def test_freezing_waits_for_a_grant_in_flight_and_holds_what_comes(crew: Crew) -> None:
    place = make_place()
    early, late = place.agent("early"), place.agent("late")
    first, freezer, second = crew.workers(3)
    with holding("SELECT 1 FROM tenants_team WHERE id = %s FOR UPDATE", place.team_id):
        first.start(acts.claim, early, ("a.py",))
        until(lambda: blocked([first.name]), "the grant is not in flight")
        freezer.start(acts.freeze, place)
        until(lambda: blocked([freezer.name]), "freezing does not wait for it")
        second.start(acts.claim, late, ("b.py",))
        until(lambda: blocked([second.name]), "what comes later does not wait for freezing")
    assert [first.result()[0], freezer.result()[0]] == ["granted", "ok"]
    kind, body = second.result()
    assert (kind, body["code"]) == ("problem", "frozen")
    kinds = stage.kinds(place)
    assert kinds.index("claim.granted") < kinds.index("project.frozen")
    assert kinds.count("claim.granted") == 1


def test_no_claim_and_no_drain_grants_anything_after_a_freeze(crew: Crew) -> None:
    place = make_place()
    agents = [place.agent(f"a{n}") for n in range(6)]
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py").body
    entry = claim(b, "x.py", wait_seconds=0).body
    calls = [(acts.hammer, (agent, f"d{n}/x.py", 40)) for n, agent in enumerate(agents)]
    *fences, frozen = crew.race([*calls, (acts.freeze, (place,))])
    assert frozen[0] == "ok"
    [last] = stage.query(place, "SELECT max(fence) AS fence FROM coordination_claim WHERE team_id = %s", place.team_id)
    granted = {row["subject_id"] for row in stage.told(place) if row["type"] == "claim.granted"}
    acts.release(a, held["id"])
    acts.drain(place)
    assert {kind for kind, _ in crew.race([(acts.claim, (agent, ("new.py",))) for agent in agents])} == {"problem"}
    assert stage.entry(place, entry["id"])["state"] == "waiting"
    after = stage.told(place)
    assert {row["subject_id"] for row in after if row["type"] == "claim.granted"} == granted
    assert max((fence for some in fences for fence in some), default=0) <= last["fence"]
    freeze.thaw(place.owner, "main")
    until(lambda: stage.entry(place, entry["id"])["state"] == "granted", "thawing does not serve the queue")
