"""Who asks at once for ground that meets: one gets it. With the locks off, more do: so these tests can fail."""

import pytest

from tests.concurrency import acts, stage
from tests.concurrency.crew import Crew
from tests.making import make_place
from tests.seeding import seed_agents

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race")]

OVERLAPPING = ("src/**", "src/*.py", "src/a/**", "**/x.py", "file:src/a/x.py", "s*/**", "src/b/x.py", "src/a/*.py")


@pytest.mark.invariant("INV-01")
def test_of_two_hundred_that_want_one_path_one_gets_it(crew: Crew) -> None:
    place = make_place()
    asking = [(agent, "src/auth/login.py") for agent in seed_agents(stage.OWNER, place, 200)]
    answers = sum(crew.race([(acts.claim_of_many, (asking[n::8],)) for n in range(8)]), [])
    kinds = [kind for kind, _ in answers]
    assert (kinds.count("granted"), kinds.count("refused")) == (1, 199), answers
    [winner] = stage.assert_apart(place)
    assert [body["id"] for kind, body in answers if kind == "granted"] == [winner.id]


@pytest.mark.invariant("INV-01")
def test_of_two_hundred_that_want_overlapping_globs_the_winners_are_apart(crew: Crew) -> None:
    place = make_place()
    agents = seed_agents(stage.OWNER, place, 200)
    asking = [(agent, OVERLAPPING[n % len(OVERLAPPING)]) for n, agent in enumerate(agents)]
    answers = sum(crew.race([(acts.claim_of_many, (asking[n::8],)) for n in range(8)]), [])
    assert {kind for kind, _ in answers} == {"granted", "refused"}
    winners = stage.assert_apart(place)
    assert {body["id"] for kind, body in answers if kind == "granted"} == {claim.id for claim in winners}


@pytest.mark.invariant("INV-01")
@pytest.mark.parametrize("locks", [True, False])
def test_the_locks_are_what_makes_it_one(crew: Crew, locks: bool) -> None:
    place = make_place()
    calls = [(acts.claim_at_once, (place.agent(f"a{n}"), ("src/a/x.py",), locks)) for n in range(8)]
    answers = crew.meeting(calls)
    granted = [kind for kind, _ in answers].count("granted")
    assert granted == (1 if locks else 8), answers
    assert bool(stage.meeting_pairs(stage.live(place))) is not locks


@pytest.mark.invariant("INV-01")
@pytest.mark.parametrize("locks", [True, False])
def test_the_locks_are_what_keeps_globs_apart(crew: Crew, locks: bool) -> None:
    place = make_place()
    calls = [(acts.claim_at_once, (place.agent(f"a{n}"), (path,), locks)) for n, path in enumerate(OVERLAPPING)]
    answers = crew.meeting(calls)
    assert {kind for kind, _ in answers} <= {"granted", "refused"}, answers
    assert bool(stage.meeting_pairs(stage.live(place))) is not locks


@pytest.mark.invariant("INV-02")
def test_requests_for_many_paths_that_cross_are_each_had_whole_or_not_at_all(crew: Crew) -> None:
    """Crosswise orders would deadlock if locks were taken as asked; and each two of the requests share a path."""
    place = make_place()
    agents = [place.agent(f"a{n}") for n in range(8)]
    sides = [tuple(f"d{min(n, m)}{max(n, m)}/x.py" for m in range(8) if m != n) for n in range(8)]
    for _ in range(5):
        answers = crew.race(
            [(acts.claim, (agent, side[::-1] if n % 2 else side)) for n, (agent, side) in enumerate(zip(agents, sides))]
        )
        kinds = [kind for kind, _ in answers]
        assert (kinds.count("granted"), kinds.count("refused")) == (1, 7), answers
        [held] = stage.assert_apart(place)
        assert {ground.pattern.text for ground in held.grounds} == set(sides[kinds.index("granted")])
        assert acts.release(agents[kinds.index("granted")], held.id)[0] == "ok"


@pytest.mark.invariant("INV-03")
@pytest.mark.parametrize("fold", [True, False])
def test_a_literal_against_a_glob_over_case_folding(crew: Crew, fold: bool) -> None:
    """Where case does not count, the lock keys and prefixes must not count it either, or both look past each other."""
    place = make_place(case_insensitive=fold)
    paths = ("SRC/Auth/Login.PY", "src/auth/*.py", "Src/AUTH/**", "src/auth/login.py", "Src/Auth/LOGIN.py")
    agents = [place.agent(f"a{n}") for n in range(len(paths))]
    answers = crew.meeting(
        [(acts.claim_at_once, (agent, (path,), True)) for agent, path in zip(agents, paths, strict=True)]
    )
    granted = [path for path, (kind, _) in zip(paths, answers) if kind == "granted"]
    held = stage.assert_apart(place)
    assert len(held) == len(granted)
    if fold:
        assert len(granted) == 1
    else:
        assert {"SRC/Auth/Login.PY", "Src/AUTH/**", "Src/Auth/LOGIN.py"} <= set(granted)
        assert len(granted) == 4  # and one of the two that meet, whoever came first


@pytest.mark.invariant("INV-02")
def test_a_batch_of_twenty_thousand_paths_is_one_decision(crew: Crew) -> None:
    """Its lock plan is coarsened to 256 keys; whoever wants one of its paths meanwhile meets it all the same."""
    place = make_place()
    batch, *others = (place.agent(f"a{n}") for n in range(5))
    paths = tuple(f"src/d{n % 400}/sub{n % 7}/f{n}.py" for n in range(20_000))
    wanted = [paths[7], paths[11_999], "src/d12/**", "src/d13/sub1/**"]  # none takes a lock that stops the others
    calls = [(acts.claim_at_once, (one, (path,), True)) for one, path in zip(others, wanted, strict=True)]
    answers = crew.meeting([(acts.claim_at_once, (batch, paths, True)), *calls])
    held = stage.assert_apart(place)
    assert len(held) == [kind for kind, _ in answers].count("granted")
    if len(held[0].grounds) < len(paths):
        assert all(one.holder != stage.holder(batch) for one in held)
        for one in held:
            acts.release(next(agent for agent in others if stage.holder(agent) == one.holder), one.id)
        assert acts.claim(batch, paths)[0] == "granted"
    refused = acts.claim(others[0], (paths[11_999],))
    assert (refused[0], refused[1]["total"]) == ("refused", 1)
    assert [len(one.grounds) for one in stage.live(place)] == [20_000]
