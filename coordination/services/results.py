"""What a service answers, before any door puts it into its own words.

A refusal is a result: it commits (the ledger hears of it) and every door shows the same body.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["ok", "created", "granted", "dry_run", "queued", "refused", "deadlock", "lost", "empty"]

# What the REST door answers for each kind; MCP and the dashboard show the body.
STATUS: dict[str, int] = {
    "ok": 200,
    "created": 201,
    "granted": 201,
    "dry_run": 200,
    "queued": 202,
    "refused": 409,
    "deadlock": 409,
    "lost": 409,
    "empty": 204,
}


@dataclass(frozen=True, slots=True)
class Hold:
    """How a door goes on waiting for an answer that is not there yet, without a thread or a connection.

    A door subscribes to ``keys`` (notify), then calls ``again`` at once and after every wake, and latest every
    ``look_again_s`` seconds, until the answer has no hold any more or ``seconds`` are over; then it calls
    ``give_up``, whose answer is final. If the client goes away it calls ``abandon`` instead.
    """

    keys: frozenset[str]
    seconds: float
    again: Callable[[], "Answer"]
    give_up: Callable[[], "Answer"]
    abandon: Callable[[], None]
    look_again_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A result of one kind with the public JSON body; ``hold`` when the caller asked to wait and there is reason to.

    ``headers`` are for doors that have headers (ETag, Location).
    """

    kind: Kind
    body: dict[str, Any]
    hold: Hold | None = None
    headers: dict[str, str] = field(default_factory=dict)
