"""How much the guard of a run is worth, from what was seen of it.

Rule's source: agent.md, Enforcement at the moment of the edit: a guard that fails silently is the worst one, so a run
is taken to be guarded only after it was seen to be.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ENFORCED, ADVISORY, BLIND = "enforced", "advisory", "blind"
OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class State:
    """`enforced`, `advisory` or `blind`, and one sentence why, with the way out where there is one."""

    state: str
    why: str


def guard_state(
    *,
    policy: str,
    door: str,
    started_at: datetime | None,
    judged_at: datetime | None,
    missed_at: datetime | None,
    probe: str = "",
    probed_at: datetime | None = None,
) -> State:
    """The state of one run's guard.

    Args:
        policy: the project's `guard_policy`: `observe`, `auto-claim` or `strict`.
        door: how the run's hooks call in (`command`, `http`); empty when none ever has.
        started_at: when the run's session last began with a hook call.
        judged_at: when an edit of the run was last judged.
        missed_at: when an edit of the run was last found that no guard had judged.
        probe: name of the probe planted at the start of the session; empty when there is none.
        probed_at: when that probe was refused.
    """
    if not door:
        return State(BLIND, "no hook of this run has ever called in; run `interlock doctor` where it works")
    if policy == OBSERVE:
        return State(ADVISORY, "the project's policy is observe: edits are recorded, none is refused")
    proofs = [at for at in (judged_at, probed_at) if at is not None]
    if started_at is not None:
        # What an earlier session of the same run proved says nothing of the hooks of this one.
        proofs = [at for at in proofs if at >= started_at]
    if missed_at is not None and not any(at > missed_at for at in proofs):
        return State(ADVISORY, "an edit was found that no guard had judged; run `interlock doctor` where it works")
    if not proofs:
        waiting = f", nor the probe {probe} tried" if probe else ""
        return State(ADVISORY, f"hooks call in, but no edit has been judged yet{waiting}")
    return State(ENFORCED, "an edit was judged before it happened, and refusals bind")
