"""Claim modes, how long each lasts by default, and urgency (claims.md, Modes and Queue)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType


class Mode(enum.StrEnum):
    """What a claim asks of others."""

    EXCLUSIVE = "exclusive"
    SHARED = "shared"
    READ = "read"
    ADVISORY = "advisory"


# claims.md, Modes, row by row: what may stand beside a held claim. Symmetric, so neither order of arrival is
# favoured.
_BESIDE: Mapping[Mode, frozenset[Mode]] = MappingProxyType(
    {
        Mode.EXCLUSIVE: frozenset({Mode.ADVISORY}),
        Mode.SHARED: frozenset({Mode.SHARED, Mode.ADVISORY}),
        Mode.READ: frozenset({Mode.READ, Mode.ADVISORY}),
        Mode.ADVISORY: frozenset(Mode),
    }
)

_HOUR = 3600

# Seconds a claim lasts when its request does not say.
DEFAULT_TTL: Mapping[Mode, int] = MappingProxyType(
    {Mode.EXCLUSIVE: 4 * _HOUR, Mode.SHARED: 2 * _HOUR, Mode.READ: 4 * _HOUR, Mode.ADVISORY: 4 * _HOUR}
)


class Urgency(enum.IntEnum):
    """How soon a waiting entry wants its ground; also its level in the queue before it ages."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    BLOCKING = 3

    @property
    def label(self) -> str:
        """The name callers write: `low`, `normal`, `high`, `blocking`."""
        return self.name.lower()

    @classmethod
    def from_label(cls, label: str) -> Urgency:
        """The urgency of a label.

        Raises:
            ValueError: not one of the four; the message names them.
        """
        for urgency in cls:
            if urgency.label == label:
                return urgency
        raise ValueError(f"urgency {label!r} is not one of {', '.join(u.label for u in cls)}")


def compatible(held: Mode, wanted: Mode) -> bool:
    """Whether a claim of mode `wanted` may be granted over ground held in mode `held`."""
    return wanted in _BESIDE[held]


def boosts(waited_seconds: float, boost_seconds: float = 60) -> int:
    """Whole age boosts earned by waiting. 0 or less for `boost_seconds` turns ageing off; a clock gone back
    gives 0.
    """
    if boost_seconds <= 0 or waited_seconds < boost_seconds:
        return 0
    return int(waited_seconds // boost_seconds)


def level(urgency: Urgency, waited_seconds: float, boost_seconds: float = 60) -> int:
    """Effective level, 0..3: urgency plus whole age boosts, at most blocking (concurrency.md, Queue)."""
    return min(int(Urgency.BLOCKING), int(urgency) + boosts(waited_seconds, boost_seconds))
