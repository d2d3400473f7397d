"""Leases and the allocator."""

import itertools
import pickle
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.allocate import lowest_free
from coordination.engine.lease import State, TtlError, check_ttl, clamp_ttl, is_live, lapse_at, may_become

from .strategies import examples

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_held_claim_ends_once_and_an_end_is_final() -> None:
    for before, after in itertools.product(State, State):
        assert may_become(before, after) is (before is State.HELD and after is not State.HELD)


def test_a_claim_lapses_at_its_end_or_when_its_holder_was_silent_too_long() -> None:
    assert lapse_at(at(3600), at(0), 1800, 300) == at(2100)
    assert lapse_at(at(1000), at(0), 1800, 300) == at(1000)
    assert lapse_at(at(3600), at(0), 0, 300) == at(3600)


@pytest.mark.parametrize(("now", "live"), [(2099.9, True), (2100, False), (3600, False)])
def test_a_claim_is_live_before_it_lapses_and_not_at_that_instant(now: float, live: bool) -> None:
    facts = {"expires_at": at(3600), "last_seen": at(0)}
    assert is_live(State.HELD, at(now), idle_limit_s=1800, grace_s=300, **facts) is live
    assert is_live(State.HELD, at(now), idle_limit_s=0, grace_s=300, **facts) is (now < 3600)
    for ended in set(State) - {State.HELD}:
        assert not is_live(ended, at(now), idle_limit_s=0, grace_s=0, **facts)


@examples(80)
@given(st.integers(-10, 200), st.integers(1, 100), st.integers(0, 200))
def test_a_ttl_is_within_its_bounds_or_refused_with_the_figures(requested: int, minimum: int, maximum: int) -> None:
    if requested >= minimum and (requested <= maximum or maximum == 0):
        assert check_ttl(requested, minimum, maximum) == clamp_ttl(requested, minimum, maximum) == requested
        return
    with pytest.raises(TtlError) as refusal:
        check_ttl(requested, minimum, maximum)
    assert str(requested) in str(refusal.value)
    copy = pickle.loads(pickle.dumps(refusal.value))
    assert (copy.requested, copy.minimum, copy.maximum) == (requested, minimum, maximum)
    expected = max(requested, minimum) if maximum == 0 else min(max(requested, minimum), maximum)
    assert clamp_ttl(requested, minimum, maximum) == expected


@examples(120)
@given(st.lists(st.integers(-2, 12)), st.integers(0, 5), st.integers(0, 10))
def test_the_allocator_gives_the_lowest_number_nobody_has(taken: list[int], first: int, last: int) -> None:
    free = [number for number in range(first, last + 1) if number not in taken]
    assert lowest_free(taken, first, last) == (free[0] if free else None)


def test_a_huge_range_costs_what_is_taken() -> None:
    assert lowest_free(range(1, 1000), 1, 2**63) == 1000
