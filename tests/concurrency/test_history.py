"""Histories of claim and release, recorded under load in several processes, are histories of locks."""

import pytest

from tests.concurrency import acts, stage
from tests.concurrency.crew import Crew
from tests.concurrency.history import Hold, Refusal, wrongs
from tests.making import make_place

pytestmark = [pytest.mark.race, pytest.mark.xdist_group("race")]

PATHS = ("src/a.py", "src/b/x.py", "src/b/**", "src/c.py", "src/**")
PROCESSES, THREADS, CALLS = 4, 3, 40


@pytest.mark.invariant("INV-01")
@pytest.mark.invariant("INV-05")
def test_a_history_recorded_under_load_is_one_of_locks(crew: Crew) -> None:
    place = make_place()
    agents = [[place.agent(f"p{p}t{t}") for t in range(THREADS)] for p in range(PROCESSES)]
    logs = crew.race([(acts.record, (mine, PATHS, CALLS, seed)) for seed, mine in enumerate(agents)])
    holds = [Hold(*row) for log in logs for row in log[0]]
    refusals = [Refusal(*row) for log in logs for row in log[1]]
    assert len(holds) + len(refusals) == PROCESSES * THREADS * CALLS
    assert len(holds) > 20 and len(refusals) > 20
    assert wrongs(holds, refusals) == []
    assert stage.live(place) == []


@pytest.mark.invariant("INV-05")
@pytest.mark.parametrize(
    ("other", "found"),
    [
        (Hold("b", "src/x.py", 8, 40, 50, 60, 70), []),
        (Hold("b", "src/x.py", 8, 0, 25, 60, 70), ["both held"]),
        (Hold("b", "src/**", 8, 0, 25, 60, 70), ["both held"]),
        (Hold("b", "lib/**", 8, 0, 25, 60, 70), []),
        (Hold("a", "src/**", 8, 0, 25, 60, 70), []),
        (Hold("b", "src/x.py", 6, 41, 50, 60, 70), ["fences do not rise"]),
        (Hold("b", "src/x.py", 6, 35, 50, 60, 70), []),  # may have been granted first: they overlap in time
        (Refusal("b", "src/x.py", 15, 18), []),
        (Refusal("b", "src/x.py", 41, 45), ["nothing in the way"]),
        (Refusal("a", "src/x.py", 15, 18), ["nothing in the way"]),
    ],
)
def test_the_judge_of_histories_finds_what_is_wrong(other: Hold | Refusal, found: list[str]) -> None:
    one = Hold("a", "src/x.py", 7, 10, 20, 30, 40)
    holds = [one, other] if isinstance(other, Hold) else [one]
    refusals = [other] if isinstance(other, Refusal) else []
    wrong = wrongs(holds, refusals)
    assert len(wrong) == len(found)
    assert all(word in text for word, text in zip(found, wrong, strict=True))
