"""The wait graph against brute force."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.modes import Mode, Urgency
from coordination.engine.queue import Entry
from coordination.engine.waits import find_cycle, victim, waits_for

from .strategies import examples

_HOLDERS = "abcde"
_GRAPHS = st.dictionaries(st.sampled_from(_HOLDERS), st.sets(st.sampled_from(_HOLDERS), max_size=3))


def _all_cycles(start: str, edges: dict[str, set[str]]) -> list[list[str]]:
    others = [holder for holder in _HOLDERS if holder != start]
    rows = [[start, *row] for size in range(len(others) + 1) for row in itertools.permutations(others, size)]
    return [row for row in rows if all(to in edges.get(at, ()) for at, to in itertools.pairwise([*row, start]))]


@examples(150)
@given(_GRAPHS)
def test_the_circle_found_is_the_first_of_the_shortest(edges: dict[str, set[str]]) -> None:
    cycles = _all_cycles("c", edges)
    assert find_cycle("c", edges) == (min(cycles, key=lambda row: (len(row), row)) if cycles else None)


@examples(120)
@given(_GRAPHS, st.sampled_from(_HOLDERS), st.sampled_from(_HOLDERS))
def test_waiting_is_transitive(edges: dict[str, set[str]], start: str, target: str) -> None:
    reached = set(edges.get(start, ()))
    for _ in _HOLDERS:
        reached |= {to for at in reached for to in edges.get(at, ())}
    assert waits_for(start, target, edges) is (target in reached)


def test_a_long_circle_is_found_without_recursion() -> None:
    edges = {str(i): {str((i + 1) % 5000)} for i in range(5000)}
    cycle = find_cycle("0", edges)
    assert cycle is not None
    assert len(cycle) == 5000
    assert waits_for("1", "0", edges)


def _entry(name: str, urgency: Urgency, arrival: int, waited: float = 0) -> Entry:
    return Entry(name, "h", Mode.EXCLUSIVE, (), urgency, arrival, waited)


def test_the_victim_is_the_lowest_level_then_the_youngest() -> None:
    high, old, young = (
        _entry("high", Urgency.HIGH, 9),
        _entry("old", Urgency.NORMAL, 1),
        _entry("young", Urgency.NORMAL, 5),
    )
    assert victim([high, old, young]) == victim([young, old, high]) == "young"
    aged = _entry("aged", Urgency.LOW, 7, waited=120)
    assert victim([aged, young]) == "young"
    assert victim([aged, young], boost_seconds=0) == "aged"
    with pytest.raises(ValueError, match="empty"):
        victim([])
