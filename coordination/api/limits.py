"""How often who may ask (api.md, "Rate limits"; platform.md, "Tokens": failed attempts are throttled).

Buckets live in this process's memory: with several processes a team gets its rate in each, which bounds load
just as well and costs no round trip. Each bucket is one number, the time at which it will be full again
(GCRA).
"""

import threading
import time
from collections.abc import Callable, Hashable
from functools import cache

from django.conf import settings

from tenants.problems import Code, Problem

BURST_S = 3
_MANY = 50_000
# Characters of a token that failed attempts are counted by: kind and a little of the body, never enough to
# guess by.
PREFIX = len("ilk_agent_") + 6
Headers = list[tuple[bytes, bytes]]


class Buckets:
    """Token buckets of one rate (a second) and burst (seconds of that rate). Thread-safe."""

    def __init__(self, rate: float, burst_s: float = BURST_S, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self.size = max(1, int(rate * burst_s))
        self.burst_s = burst_s
        self._step = 1.0 / rate if rate else 0.0
        self._room = self._step * self.size
        self._full_at: dict[Hashable, float] = {}
        self._lock = threading.Lock()
        self._clock = clock

    def take(self, key: Hashable) -> tuple[int, float]:
        """Take one. (how many are left, seconds until it is full again); -1 left means: not taken, wait that
        long.
        """
        now = self._clock()
        with self._lock:
            full_at = max(self._full_at.get(key, now), now) + self._step
            over = full_at - now - self._room
            if over > 1e-9:
                return -1, over
            self._full_at[key] = full_at
            if len(self._full_at) > _MANY:
                self._full_at = {k: at for k, at in self._full_at.items() if at > now}
        return int((self._room - (full_at - now)) * self.rate + 1e-6), full_at - now

    def wait(self, key: Hashable) -> float:
        """Seconds until one could be taken; 0 when now. Takes nothing."""
        now = self._clock()
        return max(0.0, self._full_at.get(key, now) - now + self._step - self._room)


class Limiter:
    """The buckets of teams and of tokens (or people); 0 = no limit."""

    def __init__(self, team_rate: float, token_rate: float) -> None:
        self._buckets = [
            (name, Buckets(rate)) for name, rate in (("token", token_rate), ("team", team_rate)) if rate > 0
        ]
        policy = ", ".join(f'"{name}";q={b.size};w={BURST_S}' for name, b in self._buckets)
        self._policy = (b"ratelimit-policy", policy.encode())

    def take(self, team: Hashable, token: Hashable) -> Headers:
        """Count one request. The headers that say what is left; raises Problem ``rate_limited``."""
        best: tuple[int, float, str, Buckets] | None = None
        for name, buckets in self._buckets:
            left, seconds = buckets.take(token if name == "token" else team)
            if left < 0:
                raise self._refusal(name, buckets, seconds)
            if best is None or left < best[0]:
                best = (left, seconds, name, buckets)
        if best is None:
            return []
        left, seconds, name, buckets = best
        return self._headers(name, buckets, left, seconds)

    def _headers(self, name: str, buckets: Buckets, left: int, seconds: float) -> Headers:
        reset = b"%d" % (int(seconds) + 1)
        return [
            self._policy,
            (b"ratelimit", b'"%s";r=%d;t=%s' % (name.encode(), left, reset)),
            (b"x-ratelimit-limit", b"%d" % buckets.size),
            (b"x-ratelimit-remaining", b"%d" % left),
            (b"x-ratelimit-reset", reset),
        ]

    def _refusal(self, name: str, buckets: Buckets, seconds: float) -> Problem:
        wait = int(seconds) + 1
        headers = {k.decode(): v.decode() for k, v in self._headers(name, buckets, 0, seconds)}
        return Problem(
            Code.RATE_LIMITED,
            f"This {name} may send {buckets.rate:g} requests a second, {buckets.size} in a burst.",
            headers=headers | {"Retry-After": str(wait)},
            retry_after=wait,
            limited=name,
        )


@cache
def shared_limiter() -> Limiter:
    """The one limiter of this process: a team's requests count together, whichever door they come through."""
    return Limiter(settings.RATE_LIMIT_TEAM, settings.RATE_LIMIT_TOKEN)


class Failures:
    """Failed attempts to authenticate, per address and per beginning of the token; 0 = not counted."""

    def __init__(self, per_minute: int) -> None:
        self._buckets = Buckets(per_minute / 60, 60)

    def check(self, address: str, token: str) -> None:
        """Raise Problem ``rate_limited`` while this address or this token has failed too often of late."""
        if not self._buckets.rate:
            return
        seconds = max(self._buckets.wait(("a", address)), self._buckets.wait(("t", token[:PREFIX])))
        if seconds > 0:
            wait = int(seconds) + 1
            raise Problem(
                Code.RATE_LIMITED,
                "Too many attempts with credentials that are not right.",
                headers={"Retry-After": str(wait)},
                retry_after=wait,
                limited="authentication",
            )

    def note(self, address: str, token: str) -> None:
        """An attempt failed."""
        if self._buckets.rate:
            self._buckets.take(("a", address))
            self._buckets.take(("t", token[:PREFIX]))
