"""`interlock sync`: everything new in one answer."""

from argparse import ArgumentParser, Namespace
from typing import Any

from mcp_gateway.agent import news, wording
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_YES, as_json, say

HELP = "everything new in one answer: messages, claims, waits, who else is here"
_MOST_OTHERS = 15


def arguments(parser: ArgumentParser) -> None:
    """None."""


def run(args: Namespace, context: Context) -> int:
    """Registers the run where there is none yet, takes up what was granted meanwhile, and tells."""
    told = context.call("GET", "sync").body
    if context.json:
        as_json(told)
        return EXIT_YES
    me = told["instance"]
    say(f"{me['agent']} ({me['handle']})  {context.settings.team}/{context.settings.project}")
    if told["frozen"]:
        say(f"frozen: {told['frozen_reason']}. Nothing is granted until a person thaws the project.")
    for title, lines in _sections(told):
        if lines:
            say(title)
            for line in lines:
                say(f"  {line}")
    return EXIT_YES


def _sections(told: dict[str, Any]) -> list[tuple[str, list[str]]]:
    others = [
        ", ".join(
            word
            for word in (
                f"{one['agent']} ({one['instance']})",
                one["status"],
                one["lane"],
                f"branch {one['branch']}" if one["branch"] else "",
                one["intent"],
            )
            if word
        )
        for one in told["others"]
    ]
    if len(others) > _MOST_OTHERS:
        others = [*others[:_MOST_OTHERS], f"and {len(others) - _MOST_OTHERS} more: interlock roster"]
    messages = [line for item in told["inbox"]["items"] for line in news.lines(item)]
    if messages:
        messages.append("interlock inbox --ack marks these as read")
    return [
        ("holds", [wording.claim_line(claim) for claim in told["claims"]]),
        ("waits for", [wording.entry_line(entry) for entry in told["queue"]]),
        ("new", messages),
        ("others here", others),
    ]
