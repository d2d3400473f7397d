"""Waits that would close a circle: refused when asked for, given up when a grant closes it, and nothing else."""

import pytest

from tests.concurrency import acts, stage
from tests.concurrency.crew import Crew
from tests.concurrency.watching import until
from tests.making import Place, claim, make_place

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race"), pytest.mark.invariant("INV-08")]


def _states(place: Place, *entries: dict) -> list[str]:
    return [stage.entry(place, entry["id"])["state"] for entry in entries]


@pytest.mark.parametrize("locks", [True, False])
def test_two_waits_in_different_directories_that_close_a_circle_at_once(crew: Crew, locks: bool) -> None:
    place = make_place()
    a, b = place.agent("a"), place.agent("b")
    claim(a, "left/x.py")
    claim(b, "right/y.py")
    answers = crew.meeting(
        [(acts.wait_in_graph, (a, "right/y.py", locks)), (acts.wait_in_graph, (b, "left/x.py", locks))]
    )
    assert sorted(kind for kind, _ in answers) == (["deadlock", "queued"] if locks else ["queued", "queued"])
    if locks:
        [told] = [body for kind, body in answers if kind == "deadlock"]
        assert {(step["agent"], step["holds"], step["waits_for"]) for step in told["cycle"]} == {
            ("a", "left/x.py", "right/y.py"),
            ("b", "right/y.py", "left/x.py"),
        }
        assert told["give_up"].startswith("que_")


def test_many_waits_at_once_never_leave_a_circle(crew: Crew) -> None:
    """Each of eight holds one and wants the next one's: seven may wait, and so everybody is served in the end."""
    place = make_place()
    agents = [place.agent(f"a{n}") for n in range(8)]
    held = [claim(agent, f"d{n}/x.py").body for n, agent in enumerate(agents)]
    answers = crew.race(
        [(acts.claim, (agent, (f"d{(n + 1) % 8}/x.py",), {"wait_seconds": 0})) for n, agent in enumerate(agents)]
    )
    kinds = [kind for kind, _ in answers]
    assert (kinds.count("queued"), kinds.count("deadlock")) == (7, 1)
    served = dict(zip(range(8), held, strict=True))
    loser = kinds.index("deadlock")
    for step in range(8):  # whoever waits for nobody gives back, and the one before it gets on
        at = (loser - step) % 8
        acts.release(agents[at], served[at]["id"])
        if step:
            assert acts.release(agents[at], stage.entry_claim(place, answers[at][1]["id"]))[0] == "ok"
        if step < 7:
            before = answers[(at - 1) % 8][1]["id"]
            until(lambda entry=before: stage.entry(place, entry)["state"] == "granted", "it is not served")


def test_a_circle_of_three_that_a_drain_closes_is_broken_at_the_youngest() -> None:
    place = make_place()
    a, b, c, d = (place.agent(name) for name in "abcd")
    held = claim(d, "p.py").body
    claim(b, "b.py")
    mine = claim(c, "c.py").body
    first = claim(a, "p.py", wait_seconds=0).body
    other = claim(a, "c.py", wait_seconds=0).body
    third = claim(c, "b.py", wait_seconds=0).body
    youngest = claim(b, "p.py", wait_seconds=0).body
    acts.release(d, held["id"])  # p.py goes to a, for whom b waits now, for whom c waits, for whom a waits
    until(lambda: _states(place, first) == ["granted"], "it is not served")
    assert _states(place, other, third, youngest) == ["waiting", "waiting", "deadlocked"]
    assert stage.kinds(place, subject=youngest["id"]) == ["claim.queued", "deadlock.refused"]
    acts.release(c, mine["id"])
    until(lambda: _states(place, other) == ["granted"], "the others do not go on")
    stage.assert_apart(place)


def test_a_circle_that_a_plain_claim_closes_is_broken_too() -> None:
    """Nobody asked to wait just then: a claim took ground that somebody waits for, for whom its holder waits."""
    place = make_place()
    a, c, d = (place.agent(name) for name in "acd")
    claim(d, "z.py")
    claim(c, "y.py")
    everything = claim(c, "**", wait_seconds=0).body
    mine = claim(a, "y.py", wait_seconds=0).body
    assert claim(a, "x.py").kind == "granted"
    assert _states(place, everything, mine) == ["waiting", "deadlocked"]


def test_a_circle_that_a_stronger_mode_closes_is_broken_too() -> None:
    place = make_place()
    a, c, d = (place.agent(name) for name in "acd")
    mild = claim(a, "x.py", mode="advisory").body
    claim(d, "z.py")
    claim(c, "y.py")
    both = claim(c, "x.py", "z.py", wait_seconds=0).body
    mine = claim(a, "y.py", wait_seconds=0).body
    assert acts.change_mode(a, mild["id"], "exclusive")[0] == "ok"
    assert _states(place, both, mine) == ["waiting", "deadlocked"]


@pytest.mark.parametrize("how", ["renewed", "heard of"])
def test_a_circle_that_closes_when_a_lapsed_claim_comes_back_is_broken_by_the_next_drain(how: str) -> None:
    """Nobody was granted anything then, and nobody asked to wait."""
    place = make_place()
    place.set_policy(idle_limit_s=600, grace_s=60)
    a, b, d = (place.agent(name) for name in "abd")
    lapsing = claim(a, "x.py").body
    claim(b, "y.py")
    claim(d, "w.py")
    first = claim(a, "y.py", wait_seconds=0).body
    stage.fall_silent(place, lapsing["id"])
    second = claim(b, "x.py", "w.py", wait_seconds=0)
    assert second.kind == "queued"  # what has lapsed is in nobody's way
    if how == "renewed":
        assert acts.renew(a, lapsing["id"])[0] == "ok"
    else:
        assert acts.heartbeat(a)[0] == "ok"
    acts.drain(place)
    assert _states(place, first, second.body) == ["waiting", "deadlocked"]


def test_a_circle_is_found_however_much_stands_in_the_way() -> None:
    place = make_place()
    a, b, *many = (place.agent(f"a{n}") for n in range(60))
    claim(a, "mine.py")
    for n, agent in enumerate(many):
        claim(agent, f"d{n}/x.py")
    claim(b, "last/x.py")
    assert claim(b, "mine.py", wait_seconds=0).kind == "queued"
    assert claim(a, "**", wait_seconds=0).kind == "deadlock"


@pytest.mark.invariant("INV-09")
@pytest.mark.parametrize("through_another", [False, True])
def test_whoever_holds_what_an_aged_entry_waits_for_goes_before_it(through_another: bool) -> None:
    place = make_place()
    a, b, c, d = (place.agent(name) for name in "abcd")
    claim(d, "x.py")
    claim(b, "y.py")
    claim(c, "z.py")
    if through_another:
        assert claim(b, "z.py", wait_seconds=0).kind == "queued"
    aged = claim(a, "x.py", "y.py", "free.py", wait_seconds=0).body
    stage.age(place, aged["id"])
    assert claim(c if through_another else b, "free.py").kind == "granted"
    assert claim(d, "other.py").kind == "granted"
    stranger = claim(place.agent("e"), "free.py")
    assert stranger.kind == "refused"


def test_going_before_an_aged_entry_is_not_taken_for_a_circle(crew: Crew) -> None:
    """b holds what the aged entry of a needs, so b does not wait for a, only for d, although a came first."""
    place = make_place()
    a, b, d, f = (place.agent(name) for name in "abdf")
    held = claim(d, "x.py").body
    claim(b, "y.py")
    other = claim(f, "w.py").body
    aged = claim(a, "x.py", "y.py", wait_seconds=0).body
    stage.age(place, aged["id"])
    first = claim(b, "x.py", wait_seconds=0).body
    second = claim(b, "w.py", wait_seconds=0)
    assert second.kind == "queued", second.body
    acts.release(f, other["id"])
    until(lambda: _states(place, second.body) == ["granted"], "it is not served")
    assert _states(place, aged, first) == ["waiting", "waiting"]
    acts.release(d, held["id"])
    until(lambda: _states(place, first) == ["granted"], "it does not go first")
    assert _states(place, aged) == ["waiting"]
