"""The life of a claim as data: states, what may follow what, and when a lease ends.

Rule's source: claims.md, Life of a claim; concurrency.md, Live. Times are aware datetimes; the caller reads
the clock.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType


class State(enum.StrEnum):
    """Where a claim is in its life. Narrowed is a property, not a state."""

    HELD = "held"
    RELEASED = "released"
    EXPIRED = "expired"
    REVOKED = "revoked"
    TRANSFERRED = "transferred"


_ENDS = frozenset(State) - {State.HELD}

# Every end is final: whoever wants the ground again makes a new claim with a new fence.
TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {state: _ENDS if state is State.HELD else frozenset() for state in State}
)


class TtlError(ValueError):
    """A lease length outside the bounds.

    Attributes:
        requested, minimum, maximum: seconds; `maximum` 0 is no bound.
    """

    def __init__(self, requested: int, minimum: int, maximum: int) -> None:
        upper = f"at most {maximum} s" if maximum else "without an upper bound"
        super().__init__(f"ttl of {requested} s: at least {minimum} s, {upper}")
        self.requested, self.minimum, self.maximum = requested, minimum, maximum

    def __reduce__(self) -> tuple[type[TtlError], tuple[int, int, int]]:
        """Pickle by the three figures."""
        return type(self), (self.requested, self.minimum, self.maximum)


def may_become(state: State, following: State) -> bool:
    """Whether a claim in `state` may go over to `following`."""
    return following in TRANSITIONS[state]


def lapse_at(expires_at: datetime, last_seen: datetime, idle_limit_s: float, grace_s: float) -> datetime:
    """When the claim ends by itself: at `expires_at`, or once its holder was silent too long.

    Args:
        expires_at: the lease's own end.
        last_seen: when the holder was last heard of.
        idle_limit_s: seconds; 0 is no idle limit, and silence then never ends a claim.
        grace_s: seconds on top of the idle limit.
    """
    if not idle_limit_s:
        return expires_at
    return min(expires_at, last_seen + timedelta(seconds=idle_limit_s + grace_s))


def is_live(
    state: State,
    now: datetime,
    *,
    expires_at: datetime,
    last_seen: datetime,
    idle_limit_s: float,
    grace_s: float,
) -> bool:
    """Whether the claim still keeps others off: held, and `now` before `lapse_at` (that instant is over)."""
    return state is State.HELD and now < lapse_at(expires_at, last_seen, idle_limit_s, grace_s)


def check_ttl(requested: int, minimum: int, maximum: int) -> int:
    """`requested` seconds, when it is within the bounds (both included; `maximum` 0 is none).

    Raises:
        TtlError: it is not.
    """
    if requested < minimum or (maximum and requested > maximum):
        raise TtlError(requested, minimum, maximum)
    return requested


def clamp_ttl(requested: int, minimum: int, maximum: int) -> int:
    """`requested` seconds, brought within the bounds (`maximum` 0 is none): for defaults a policy cuts short.

    The upper bound wins where a policy has put it below the lower one.
    """
    raised = max(requested, minimum)
    return min(raised, maximum) if maximum else raised
