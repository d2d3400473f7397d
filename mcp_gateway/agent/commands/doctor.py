"""`interlock doctor`: look at every link of the chain, say how to mend what is broken (docs/concepts/wiring.md)."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict

from mcp_gateway.agent import VERSION
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.doctor import checks, fixing
from mcp_gateway.agent.doctor.base import Desk, Finding, State, visit
from mcp_gateway.agent.output import EXIT_NO, EXIT_YES, as_json, clean, paint, say

HELP = "check every link of the chain, and how to mend it"
ABOUT = """\
Looks at every link from a tool's edit to the server: settings, the way there, the token, the project, what is wired,
and whether hooks really fire (a planted probe must be refused). Exit code 1 when coordination is broken."""

_COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red", State.SKIP: "dim"}


def arguments(parser: ArgumentParser) -> None:
    """Two flags."""
    parser.add_argument("--fix", action="store_true", help="write what `interlock init` would write, then look again")


def run(args: Namespace, context: Context) -> int:
    """Look, mend where that was asked for, report."""
    found = visit(Desk(context.cwd, context.env), checks.ALL)
    fixed: list[str] = []
    if args.fix:
        fixed = fixing.fix(context)
        if fixed:
            found = visit(Desk(context.cwd, context.env), checks.ALL)
    broken = any(finding.state is State.FAIL for finding in found)
    if context.json:
        as_json({"version": VERSION, "broken": broken, "fixed": fixed, "checks": [asdict(each) for each in found]})
    else:
        _tell(found, fixed, asked=args.fix)
    return EXIT_NO if broken else EXIT_YES


def _tell(found: Sequence[Finding], fixed: Sequence[str], *, asked: bool) -> None:
    for line in fixed:
        say(f"mended  {line}")
    if asked and not fixed:
        say("There was nothing that --fix can mend.")
    width = max(len(finding.title) for finding in found)
    for finding in found:
        state = paint(f"{finding.state.value.upper():<4}", _COLOURS[finding.state])
        print(f"{state}  {clean(finding.title):<{width}}  {clean(finding.detail)}".rstrip())
        if finding.mend:
            say(f"      mend: {finding.mend}")
    count = {state: sum(finding.state is state for finding in found) for state in State}
    say(f"{count[State.OK]} ok, {count[State.WARN]} warnings, {count[State.FAIL]} broken, {count[State.SKIP]} skipped.")
