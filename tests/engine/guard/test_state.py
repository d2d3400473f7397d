"""How much a guard is worth, from what was seen of it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coordination.engine.guard.state import guard_state

_START = datetime(2026, 11, 1, tzinfo=UTC)


def _at(minutes: float) -> datetime:
    return _START + timedelta(minutes=minutes)


def _state(**seen: Any) -> tuple[str, str]:
    facts: dict[str, Any] = {
        "policy": "auto-claim",
        "door": "command",
        "started_at": _START,
        "judged_at": None,
        "missed_at": None,
        "probe": "abc",
        "probed_at": None,
    }
    state = guard_state(**facts | seen)
    return state.state, state.why


def test_a_run_that_never_called_in_is_blind() -> None:
    state, why = _state(door="", started_at=None, judged_at=_at(1))
    assert state == "blind"
    assert "interlock doctor" in why


def test_hooks_that_have_judged_nothing_yet_are_advice() -> None:
    state, why = _state()
    assert state == "advisory"
    assert "abc" in why


@pytest.mark.parametrize("proof", ["judged_at", "probed_at"])
def test_an_edit_or_the_probe_that_was_judged_makes_refusals_binding(proof: str) -> None:
    assert _state(**{proof: _at(1)})[0] == "enforced"
    assert _state(policy="strict", **{proof: _START})[0] == "enforced"


def test_under_a_policy_that_refuses_nothing_a_guard_is_advice() -> None:
    state, why = _state(policy="observe", judged_at=_at(1))
    assert state == "advisory"
    assert "observe" in why


def test_what_an_earlier_session_proved_says_nothing_of_this_one() -> None:
    assert _state(judged_at=_at(-1))[0] == "advisory"
    assert _state(judged_at=_at(-1), probed_at=_at(2))[0] == "enforced"


def test_an_edit_no_guard_had_judged_makes_it_advice_until_the_next_is_judged() -> None:
    state, why = _state(judged_at=_at(1), missed_at=_at(2))
    assert state == "advisory"
    assert "no guard had judged" in why
    assert _state(judged_at=_at(2), missed_at=_at(2))[0] == "advisory"
    assert _state(judged_at=_at(3), missed_at=_at(2))[0] == "enforced"


def test_a_run_that_began_with_another_call_than_a_start_is_taken_by_what_was_judged() -> None:
    assert _state(started_at=None, judged_at=_at(1))[0] == "enforced"
