"""The queue under races: nobody barges, nobody starves, nobody is lost, nobody is served twice."""

import pytest

from tests.concurrency import acts, stage
from tests.concurrency.crew import Crew
from tests.concurrency.watching import blocked, holding, until
from tests.making import Place, claim, make_place
from tests.seeding import seed_agents

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race")]

NO_COMMITS = "SELECT 1 FROM tenants_team WHERE id = %s FOR UPDATE"
PROCESSES, THREADS = 8, 6


def _waits(place: Place) -> int:
    rows = stage.query(
        place,
        "SELECT count(*) AS many FROM coordination_queueentry WHERE team_id = %s AND state = 'waiting'",
        place.team_id,
    )
    return int(rows[0]["many"])


def _granted(place: Place, entry_id: str) -> bool:
    return bool(stage.entry(place, entry_id)["state"] == "granted")


@pytest.mark.invariant("INV-09")
@pytest.mark.parametrize("aged", [True, False])
def test_nobody_barges_past_an_entry_that_is_next(crew: Crew, aged: bool) -> None:
    """Whether it has aged or could simply be granted now: who comes later goes behind it."""
    place = make_place()
    a, b, *newcomers = (place.agent(f"a{n}") for n in range(8))
    held = claim(a, "x.py").body
    waiting = claim(b, "x.py", wait_seconds=0).body
    if aged:
        stage.age(place, waiting["id"])
    calls = [(acts.hammer, (newcomer, "x.py", 25)) for newcomer in newcomers]
    calls.append((acts.release, (a, held["id"])))
    *won, released = crew.race(calls)
    assert released[0] == "ok"
    until(lambda: _granted(place, waiting["id"]), "the entry is not served")
    fences = sorted(fence for fences in won for fence in fences)
    [b_fence] = [one.fence for one in stage.live(place)]
    assert all(fence > b_fence for fence in fences), (b_fence, fences)


@pytest.mark.invariant("INV-09")
def test_an_aged_entry_keeps_its_ground_together() -> None:
    place = make_place()
    a, b, c = (place.agent(name) for name in "abc")
    held = claim(a, "x.py").body
    entry = claim(b, "x.py", "y.py", wait_seconds=0).body
    stage.age(place, entry["id"])
    refused = claim(c, "y.py")
    assert refused.kind == "refused"
    assert [(c["blocked_by"], c["claim"]) for c in refused.body["conflicts"]] == [("queue_entry", entry["id"])]
    acts.release(a, held["id"])
    until(lambda: _granted(place, entry["id"]), "the entry is not served")
    assert [len(one.grounds) for one in stage.assert_apart(place)] == [2]


@pytest.mark.invariant("INV-09")
@pytest.mark.invariant("INV-02")
def test_a_waiting_wildcard_lets_small_claims_go_on_until_it_has_aged(crew: Crew) -> None:
    place = make_place()
    a, b, *small = (place.agent(f"a{n}") for n in range(6))
    strangers = [place.agent(f"s{n}") for n in range(4)]
    held = claim(a, "src/a.py").body
    everything = claim(b, "**", wait_seconds=0).body
    answers = crew.race([(acts.claim, (one, (f"src/{n}.py",))) for n, one in enumerate(small)])
    assert [kind for kind, _ in answers] == ["granted"] * 4
    stage.age(place, everything["id"])
    late = crew.race([(acts.claim, (one, (f"late/{n}.py",))) for n, one in enumerate(strangers)])
    assert [kind for kind, _ in late] == ["refused"] * 4
    mine = [(one, body["id"]) for one, (_, body) in zip(small, answers, strict=True)] + [(a, held["id"])]
    assert {kind for kind, _ in crew.race([(acts.release, one) for one in mine])} == {"ok"}
    until(lambda: _granted(place, everything["id"]), "the wildcard is not served")
    assert len(stage.assert_apart(place)) == 1


@pytest.mark.invariant("INV-10")
@pytest.mark.invariant("INV-12")
def test_all_who_wait_for_a_hot_file_are_served_once_in_the_order_they_came(crew: Crew) -> None:
    place = make_place()
    first, *agents = seed_agents(stage.OWNER, place, 1 + PROCESSES * THREADS)
    held = claim(first, "hot.py").body
    workers = crew.workers(PROCESSES)
    for n, worker in enumerate(workers):
        worker.start(acts.wait_and_release, agents[n::PROCESSES], "hot.py")
    until(lambda: _waits(place) == len(agents), "not everybody waits")
    assert acts.release(first, held["id"])[0] == "ok"
    outcomes = sum((worker.result() for worker in workers), [])
    assert outcomes == ["granted"] * len(agents)
    rows = stage.query(
        place,
        "SELECT q.arrival, c.fence FROM coordination_queueentry q"
        " JOIN coordination_claim c ON c.team_id = q.team_id AND c.id = q.claim_id WHERE q.team_id = %s",
        place.team_id,
    )
    assert [row["arrival"] for row in sorted(rows, key=lambda row: row["fence"])] == sorted(
        row["arrival"] for row in rows
    )
    assert stage.claims_made(place) == 1 + len(agents)


@pytest.mark.invariant("INV-12")
@pytest.mark.parametrize("locks", [True, False])
def test_several_drains_at_once_grant_an_entry_once(crew: Crew, locks: bool) -> None:
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py").body
    claim(b, "x.py", wait_seconds=0)
    stage.vanish(place, held["id"])
    crew.meeting([(acts.drain_at_once, (place, locks)) for _ in range(4)])
    granted = stage.claims_made(place) - 1
    assert granted == 1 if locks else granted > 1


@pytest.mark.invariant("INV-12")
@pytest.mark.parametrize("locks", [True, False])
def test_a_release_between_a_decision_to_wait_and_its_entry_is_not_missed(crew: Crew, locks: bool) -> None:
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "src/x.py").body
    waited, released = crew.meeting(
        [(acts.wait_at_once, (b, "src/**", locks)), (acts.release_when_looked, (a, held["id"]))]
    )
    assert (waited[0], released[0]) == ("queued", "ok")
    if locks:
        until(lambda: _granted(place, waited[1]["id"]), "the release did not serve it")
    else:
        assert _waits(place) == 1


@pytest.mark.invariant("INV-12")
def test_a_drain_killed_between_two_grants_is_finished_by_another(crew: Crew) -> None:
    place = make_place()
    a, *waiting = (place.agent(f"a{n}") for n in range(4))
    held = [claim(a, f"{n}.py").body for n in range(3)]
    entries = [claim(one, f"{n}.py", wait_seconds=0).body for n, one in enumerate(waiting)]
    for one in held:
        stage.lapse(place, one["id"])
    with (
        crew.doomed() as worker,
        holding("SELECT 1 FROM coordination_queueentry WHERE id = %s FOR UPDATE", stage.uuid(entries[1]["id"])),
    ):
        worker.start(acts.drain, place)
        until(lambda: blocked([worker.name]), "the drain does not come to the second entry")
        assert [_granted(place, entry["id"]) for entry in entries] == [True, False, False]
        worker.kill()
    crew.workers(1)[0].call(acts.drain, place)
    assert [_granted(place, entry["id"]) for entry in entries] == [True] * 3
    assert stage.claims_made(place) == 6
    assert len(stage.assert_apart(place)) == 3
    assert stage.kinds(place).count("queue.granted") == 3


@pytest.mark.invariant("INV-12")
def test_a_drain_killed_in_its_commit_grants_once(crew: Crew) -> None:
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py").body
    entry = claim(b, "x.py", wait_seconds=0).body
    stage.lapse(place, held["id"])
    with crew.doomed() as worker, holding(NO_COMMITS, place.team_id):
        worker.start(acts.drain, place)
        until(lambda: blocked([worker.name]), "the drain does not commit")
        worker.kill()
    crew.workers(1)[0].call(acts.drain, place)
    until(lambda: _granted(place, entry["id"]), "the entry is not served")
    assert stage.claims_made(place) == 2
    assert stage.kinds(place).count("queue.granted") == 1


@pytest.mark.invariant("INV-11")
@pytest.mark.invariant("INV-12")
def test_the_waiter_of_a_killed_process_is_passed_over_and_told(crew: Crew) -> None:
    place = make_place()
    a, b, c = (place.agent(name) for name in "abc")
    held = claim(a, "x.py").body
    with crew.doomed() as worker:
        worker.start(acts.wait_for, b, ("x.py",))
        until(lambda: _waits(place) == 1, "it does not wait")
        behind = claim(c, "x.py", wait_seconds=0).body
        worker.kill()
    [dead] = stage.query(
        place, "SELECT * FROM coordination_queueentry WHERE team_id = %s AND waiter_until IS NOT NULL", place.team_id
    )
    stage.widow(place, stage.show("que", dead["id"]))
    acts.release(a, held["id"])
    until(lambda: _granted(place, behind["id"]), "the next in line is not served")
    assert stage.entry(place, stage.show("que", dead["id"]))["state"] == "cancelled"
    assert stage.kinds(place, subject=stage.show("que", dead["id"])) == ["claim.queued", "queue.cancelled"]
    assert len(stage.assert_apart(place)) == 1


@pytest.mark.invariant("INV-11")
@pytest.mark.invariant("INV-18")
def test_one_that_may_come_back_with_its_key_is_offered_its_ground(crew: Crew) -> None:
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py").body
    with crew.doomed() as worker:
        worker.start(acts.wait_for, b, ("x.py",), {"idempotent": True})
        until(lambda: _waits(place) == 1, "it does not wait")
        worker.kill()
    [dead] = stage.query(place, "SELECT * FROM coordination_queueentry WHERE team_id = %s", place.team_id)
    stage.widow(place, stage.show("que", dead["id"]))
    acts.release(a, held["id"])
    until(lambda: _granted(place, stage.show("que", dead["id"])), "nothing is offered")
    [offer] = stage.query(
        place, "SELECT * FROM coordination_claim WHERE team_id = %s AND state = 'held'", place.team_id
    )
    assert offer["offered"]
    assert (offer["expires_at"] - offer["created_at"]).total_seconds() <= 60


@pytest.mark.invariant("INV-07")
def test_expiry_wakes_whoever_waits_without_any_sweep(crew: Crew) -> None:
    place = make_place()
    a, b, c = (place.agent(name) for name in "abc")
    claim(a, "src/x.py", ttl_seconds=1)
    worker, other = crew.workers(2)
    worker.start(acts.wait_for, b, ("src/**",), {"ttl_seconds": 1})
    until(lambda: _waits(place) == 1, "it does not wait")
    other.start(acts.wait_for, c, ("src/x.py",))
    kind, body = worker.result()
    assert (kind, len(body["took_over"])) == ("granted", 1)
    kind, body = other.result()
    assert (kind, len(body["took_over"])) == ("granted", 1)
    assert [one.id for one in stage.assert_apart(place)] == [body["id"]]


@pytest.mark.invariant("INV-07")
def test_expiry_of_what_was_granted_to_another_waiter_wakes_too(crew: Crew) -> None:
    """Whoever waits does not know of the claim that is in its way now: it began after it had looked."""
    place = make_place()
    a, b, c = (place.agent(name) for name in "abc")
    held = claim(a, "x.py").body
    worker = crew.workers(1)[0]
    claim(b, "x.py", wait_seconds=0, ttl_seconds=1)
    worker.start(acts.wait_for, c, ("x.py",))
    until(lambda: _waits(place) == 2, "it does not wait")
    acts.release(a, held["id"])  # b is granted it by this process, for a second
    kind, body = worker.result()
    assert (kind, len(body["took_over"])) == ("granted", 1)


@pytest.mark.invariant("INV-11")
def test_one_that_gives_up_just_as_it_is_granted_is_told_or_has_an_offer(crew: Crew) -> None:
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py").body
    entry = claim(b, "x.py", wait_seconds=20).body
    stage.vanish(place, held["id"])
    drainer, waiter = crew.workers(2)
    with holding(NO_COMMITS, place.team_id):
        drainer.start(acts.drain, place)
        until(lambda: blocked([drainer.name]), "the drain has not written")
        waiter.start(acts.give_up, b, entry["id"])
        until(lambda: blocked([waiter.name]), "giving up does not meet the grant")
    drainer.result()
    kind, body = waiter.result()
    assert (kind, body["state"]) == ("granted", "held")


@pytest.mark.invariant("INV-10")
@pytest.mark.invariant("INV-12")
def test_an_entry_that_may_not_be_granted_is_refused_and_does_not_stop_those_behind_it() -> None:
    place = make_place()
    a, b, c = (place.agent(name) for name in "abc")
    held = claim(a, "x.py").body
    claim(b, "other.py")
    first = claim(b, "x.py", wait_seconds=0).body
    behind = claim(c, "x.py", wait_seconds=0).body
    place.set_policy(max_claims_per_agent=1)
    acts.release(a, held["id"])
    until(lambda: _granted(place, behind["id"]), "the one behind is not served")
    row = stage.entry(place, first["id"])
    assert (row["state"], "allows 1" in row["ended_why"]) == ("cancelled", True)
    assert stage.kinds(place, subject=first["id"]) == ["claim.queued", "queue.cancelled"]


@pytest.mark.invariant("INV-07")
def test_whoever_waited_for_lapsed_ground_needs_no_further_reason() -> None:
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "x.py").body
    entry = claim(b, "x.py", wait_seconds=0).body
    place.set_policy(takeover_needs_reason=True)
    stage.lapse(place, held["id"])
    acts.drain(place)
    assert _granted(place, entry["id"])


@pytest.mark.invariant("INV-10")
def test_giving_up_an_aged_wait_frees_what_it_kept_from_others(crew: Crew) -> None:
    place = make_place()
    a, b, c = (place.agent(name) for name in "abc")
    claim(a, "x.py")
    reserving = claim(b, "x.py", "y.py", wait_seconds=0).body
    stage.age(place, reserving["id"])
    worker = crew.workers(1)[0]
    worker.start(acts.wait_for, c, ("y.py",))
    until(lambda: _waits(place) == 2, "it does not wait")
    assert acts.cancel(b, reserving["id"])[0] == "ok"
    assert worker.result()[0] == "granted"
