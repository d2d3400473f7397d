"""Races over claims that are held: renewing against taking over, narrowing, changing mode."""

import pytest

from coordination.services.requests import ScopeRequest
from tests.concurrency import acts, stage
from tests.concurrency.crew import Crew
from tests.concurrency.watching import blocked, holding, until
from tests.making import claim, make_place

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race")]

# Keeps every transaction of a team that added a row from committing: foreign keys are checked then.
NO_COMMITS = "SELECT 1 FROM tenants_team WHERE id = %s FOR UPDATE"
IDLE = {"idle_limit_s": 600, "grace_s": 60}


@pytest.mark.invariant("INV-04")
@pytest.mark.parametrize("why", ["its time was over", "its holder was silent"])
def test_a_late_renewal_that_comes_first_keeps_the_ground(crew: Crew, why: str) -> None:
    place = make_place()
    place.set_policy(**IDLE)
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "src/x.py").body
    (stage.lapse if why == "its time was over" else stage.fall_silent)(place, held["id"])
    renewer, taker = crew.workers(2)
    with holding(NO_COMMITS, place.team_id):
        renewer.start(acts.renew, a, held["id"])
        until(lambda: blocked([renewer.name]), "the renewal has not written")
        taker.start(acts.claim, b, ("src/**",))
        until(lambda: blocked([taker.name]), "the take-over does not wait for the renewal")
    assert renewer.result()[0] == "ok"
    kind, body = taker.result()
    assert (kind, body["conflicts"][0]["claim"]) == ("refused", held["id"])
    assert [one.id for one in stage.assert_apart(place)] == [held["id"]]


@pytest.mark.invariant("INV-04")
@pytest.mark.invariant("INV-05")
@pytest.mark.parametrize("why", ["its time was over", "its holder was silent"])
def test_a_renewal_that_comes_after_the_take_over_is_lost(crew: Crew, why: str) -> None:
    place = make_place()
    place.set_policy(**IDLE)
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "src/x.py").body
    (stage.lapse if why == "its time was over" else stage.fall_silent)(place, held["id"])
    renewer, taker = crew.workers(2)
    with holding(NO_COMMITS, place.team_id):
        taker.start(acts.claim, b, ("src/**",))
        until(lambda: blocked([taker.name]), "the take-over has not written")
        renewer.start(acts.renew, a, held["id"])
        until(lambda: blocked([renewer.name]), "the renewal does not wait for the take-over")
    kind, taken = taker.result()
    assert (kind, [over["claim"] for over in taken["took_over"]]) == ("granted", [held["id"]])
    assert taken["fence"] > held["fence"]
    kind, lost = renewer.result()
    assert (kind, lost["fence_now"], lost["held_by"]["agent"]) == ("lost", taken["fence"], "b")
    assert [one.id for one in stage.assert_apart(place)] == [taken["id"]]


@pytest.mark.invariant("INV-04")
@pytest.mark.invariant("INV-06")
def test_a_heartbeat_that_promised_the_ground_is_not_overtaken(crew: Crew) -> None:
    """A heartbeat does not write to a claim that is not due, so presence alone has to stop the take-over."""
    place = make_place()
    place.set_policy(**IDLE)
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "src/x.py").body
    stage.fall_silent(place, held["id"])
    taker, beater = crew.workers(2)
    with holding(NO_COMMITS, place.team_id):
        taker.start(acts.claim, b, ("src/x.py",))
        until(lambda: blocked([taker.name]), "the take-over has not written")
        beater.start(acts.heartbeat, a)
        until(lambda: blocked([beater.name]) or beater.done(), "the heartbeat neither waits nor answers")
    assert taker.result()[0] == "granted"
    assert beater.result()[1]["claims"] == []


@pytest.mark.invariant("INV-04")
def test_many_late_renewals_and_take_overs_leave_one_holder(crew: Crew) -> None:
    place = make_place()
    a, *others = (place.agent(f"a{n}") for n in range(8))
    for _ in range(5):
        held = claim(a, "src/x.py").body
        stage.lapse(place, held["id"])
        calls = [(acts.renew, (a, held["id"]))] + [(acts.claim, (b, ("src/x.py",))) for b in others]
        renewed, *claimed = crew.race(calls)
        won = [body for kind, body in claimed if kind == "granted"]
        assert len(won) + (renewed[0] == "ok") == 1, (renewed, claimed)
        [only] = stage.assert_apart(place)
        assert only.id == (won[0]["id"] if won else held["id"])
        holder = next((b for b, (kind, _) in zip(others, claimed, strict=True) if kind == "granted"), a)
        assert acts.release(holder, only.id)[0] == "ok"


@pytest.mark.invariant("INV-04")
def test_the_sweep_does_not_expire_what_a_silent_holder_is_just_renewing(crew: Crew) -> None:
    place = make_place()
    place.set_policy(**IDLE)
    a = place.agent("a")
    held = claim(a, "src/x.py").body
    stage.fall_silent(place, held["id"])
    renewer, sweeper = crew.workers(2)
    with holding(NO_COMMITS, place.team_id):
        renewer.start(acts.renew, a, held["id"])
        until(lambda: blocked([renewer.name]), "the renewal has not written")
        sweeper.start(acts.expire, place)
        until(lambda: blocked([sweeper.name]) or sweeper.done(), "the sweep neither waits nor ends")
    assert renewer.result()[0] == "ok"
    sweeper.result()
    assert [one.id for one in stage.live(place)] == [held["id"]]


@pytest.mark.invariant("INV-01")
def test_two_that_narrow_one_claim_at_once_do_not_give_ground_back_to_it(crew: Crew) -> None:
    place = make_place()
    a, b, c = (place.agent(name) for name in "abc")
    held = claim(a, "src/**").body
    once = ScopeRequest("src/**", excepts=("src/b.py",), field="scopes.0")
    other = ScopeRequest("src/**", excepts=("src/c.py",), field="scopes.0")
    answers = crew.race([(acts.narrow, (a, held["id"], (once,))), (acts.narrow, (a, held["id"], (other,)))])
    assert [kind for kind, _ in answers] == ["ok", "ok"], answers
    assert claim(b, "src/b.py").kind == "granted"
    assert claim(c, "src/c.py").kind == "granted"
    assert claim(b, "src/d.py").kind == "refused"
    assert len(stage.assert_apart(place)) == 3


@pytest.mark.invariant("INV-01")
def test_narrowing_against_a_claim_on_the_part_given_up(crew: Crew) -> None:
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    for n in range(5):
        held = claim(a, f"d{n}/**").body
        answers = crew.race(
            [
                (acts.narrow, (a, held["id"], (ScopeRequest(f"d{n}/mine/**", field="scopes.0"),))),
                (acts.claim, (b, (f"d{n}/yours/x.py",))),
                (acts.claim, (b, (f"d{n}/mine/x.py",))),
            ]
        )
        assert answers[0][0] == "ok"
        assert answers[2][0] == "refused"
        stage.assert_apart(place)


@pytest.mark.invariant("INV-01")
def test_what_is_narrowed_while_a_sweep_expires_it_leaves_no_ground_behind(crew: Crew) -> None:
    """Ground of a claim that is over would stand in everybody's way for good: nobody could take it over."""
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    held = claim(a, "src/**").body
    claim_id = stage.uuid(held["id"])
    narrower, sweeper = crew.workers(2)
    # The narrowing has looked, and stands before its first write; the time of the claim is over meanwhile.
    with holding("SELECT 1 FROM coordination_ground WHERE claim_id = %s FOR UPDATE", claim_id):
        narrower.start(acts.narrow, a, held["id"], (ScopeRequest("src/a/**", field="scopes.0"),))
        until(lambda: blocked([narrower.name]), "the narrowing does not write")
        sweeper.start(acts.lapse_and_expire, place, held["id"])
        until(lambda: blocked([sweeper.name]) or sweeper.done(), "the sweep neither waits nor ends")
    narrower.result()
    sweeper.result()
    acts.expire(place)
    stage.lapse(place, held["id"])
    assert claim(b, "src/a/x.py").kind == "granted"


@pytest.mark.invariant("INV-01")
def test_a_stronger_mode_takes_over_what_lapsed_so_that_its_holder_cannot_come_back() -> None:
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    advisory = claim(a, "x.py", mode="advisory").body
    lapsed = claim(b, "x.py").body
    stage.lapse(place, lapsed["id"])
    assert acts.change_mode(a, advisory["id"], "exclusive")[0] == "ok"
    assert acts.renew(b, lapsed["id"])[0] == "lost"
    stage.assert_apart(place)


@pytest.mark.invariant("INV-01")
def test_two_that_take_a_stronger_mode_at_once(crew: Crew) -> None:
    place = make_place()
    agents = [place.agent(f"a{n}") for n in range(4)]
    held = [claim(agent, "src/**", mode="shared").body for agent in agents]
    calls = [(acts.change_mode, (agent, mine["id"], "exclusive")) for agent, mine in zip(agents, held, strict=True)]
    answers = crew.race(calls)
    assert [kind for kind, _ in answers] == ["refused"] * 4
    for agent, mine in zip(agents[2:], held[2:], strict=True):
        acts.release(agent, mine["id"])
    both = crew.race([*calls[:2], (acts.release, (agents[1], held[1]["id"]))])
    assert both[2][0] == "ok"
    assert both[0][0] in ("ok", "refused")
    stage.assert_apart(place)


@pytest.mark.invariant("INV-11")
def test_a_run_that_ends_while_its_claim_is_on_the_way_holds_nothing(crew: Crew) -> None:
    place = make_place()
    a = place.agent("a")
    claimer, ender = crew.workers(2)
    with holding(NO_COMMITS, place.team_id):
        claimer.start(acts.claim, a, ("src/x.py",))
        until(lambda: blocked([claimer.name]), "the claim has not written")
        ender.start(acts.end_run, a)
        until(lambda: blocked([ender.name]), "ending does not come to its commit")
    claimer.result()
    assert ender.result()[0] == "ok"
    assert stage.live(place) == []
