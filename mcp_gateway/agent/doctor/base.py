"""What a check is, and how a list of them is run: each by itself, in a bounded time, whatever the others did."""

from __future__ import annotations

import enum
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mcp_gateway.agent.http import Client
from mcp_gateway.agent.output import UserError, clean
from mcp_gateway.agent.repo import Checkout
from mcp_gateway.agent.settings import Settings, load, workplace
from mcp_gateway.agent.wiring.tool import Tool
from mcp_gateway.agent.wiring.tools import wired

SECONDS = 90.0
"""How long a whole visit may take."""
STEP = 10.0
"""How long one request or one program may take."""


class State(enum.StrEnum):
    """How a link is. ``skip``: it could not be looked at."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out about one link.

    Attributes:
        id: stable, for programs: ``hooks.claude``.
        title: the link.
        detail: what is so; never a secret.
        mend: what to do about it; empty when all is well.
    """

    id: str
    title: str
    state: State
    detail: str = ""
    mend: str = ""


@dataclass(slots=True)
class Verdict:
    """What a check answers about its link."""

    state: State
    detail: str = ""
    mend: str = ""
    part: str = ""


def ok(detail: str = "", part: str = "") -> Verdict:
    """The link holds."""
    return Verdict(State.OK, detail, "", part)


def warn(detail: str, mend: str, part: str = "") -> Verdict:
    """The link holds, and something about it should be seen to."""
    return Verdict(State.WARN, detail, mend, part)


def fail(detail: str, mend: str, part: str = "") -> Verdict:
    """The link is broken."""
    return Verdict(State.FAIL, detail, mend, part)


def skip(detail: str, part: str = "") -> Verdict:
    """The link could not be looked at."""
    return Verdict(State.SKIP, detail, "", part)


@dataclass
class Desk:
    """What checks look at. ``facts`` is what one check leaves for later ones."""

    cwd: Path
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)
    facts: dict[str, Any] = field(default_factory=dict)
    ends: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    @cached_property
    def place(self) -> tuple[Checkout | None, Path | None]:
        """The checkout and its settings' file."""
        return workplace(self.cwd)

    @property
    def checkout(self) -> Checkout:
        """The checkout. Only for checks that need ``repository``."""
        found = self.place[0]
        assert found is not None
        return found

    @cached_property
    def settings(self) -> Settings:
        """Raises NotConfigured."""
        return load(self.cwd, self.env)

    @property
    def client(self) -> Client:
        """Calls of a few seconds, tried once: a doctor reports what is, not what comes of patience."""
        return Client(self.settings, timeout=min(STEP, self.left), retries=0)

    @cached_property
    def tools(self) -> list[Tool]:
        """The tools that are wired here."""
        return wired(self.checkout.top)

    @property
    def left(self) -> float:
        """Seconds that are left, at least one."""
        return max(1.0, self.ends - time.monotonic())

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.ends


Looked = Verdict | Iterable[Verdict]


@dataclass(frozen=True, slots=True)
class Check:
    """One check: ``needs`` are ids of checks that must not have failed, without which it says nothing."""

    id: str
    title: str
    look: Callable[[Desk], Looked]
    needs: tuple[str, ...] = ()


def visit(desk: Desk, checks: Sequence[Check]) -> list[Finding]:
    """Run them all, in order. A check that breaks is a finding like any other."""
    found: list[Finding] = []
    for check in checks:
        found += _look(desk, check, {finding.id for finding in found if finding.state in (State.FAIL, State.SKIP)})
    return found


def _look(desk: Desk, check: Check, broken: set[str]) -> list[Finding]:
    missing = [need for need in check.needs if need in broken]
    if missing:
        return [Finding(check.id, check.title, State.SKIP, f"waits for {', '.join(missing)}")]
    if desk.over:
        return [Finding(check.id, check.title, State.SKIP, f"no time was left ({SECONDS:g} s)")]
    try:
        looked = check.look(desk)
        verdicts = [looked] if isinstance(looked, Verdict) else list(looked)
    except UserError as error:
        verdicts = [fail(str(error), "see what it says")]
    except Exception as error:
        # Its own defect must hide neither the others nor itself; the text may come from anywhere.
        what = clean(str(error))[:200]
        verdicts = [fail(f"the check itself broke: {type(error).__name__}: {what}", "tell whoever keeps Interlock")]
    return [
        Finding(
            f"{check.id}.{verdict.part}" if verdict.part else check.id,
            f"{check.title} ({verdict.part})" if verdict.part else check.title,
            verdict.state,
            verdict.detail,
            verdict.mend,
        )
        for verdict in verdicts
    ]
