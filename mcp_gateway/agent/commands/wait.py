"""`interlock wait`: for a queued claim, or for a message."""

from argparse import ArgumentParser, Namespace
from typing import Any

from mcp_gateway.agent import holdings, options, waiting, wording
from mcp_gateway.agent.commands import inbox
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.http import Answer
from mcp_gateway.agent.output import EXIT_NO, EXIT_YES, UserError, as_json, say

HELP = "wait for a queued claim, or for a message"
_PATIENCE = 600


def arguments(parser: ArgumentParser) -> None:
    """For what, and how long."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument("entry", nargs="?", metavar="ENTRY", help="que_…; without: the only wait of this run")
    what.add_argument("--inbox", action="store_true", help="for a message instead")
    parser.add_argument(
        "--for", dest="seconds", type=options.duration, default=_PATIENCE, metavar="TIME", help="at most (default: 10m)"
    )


def run(args: Namespace, context: Context) -> int:
    """0 when it was granted, or something came. Giving up leaves the place in the queue as it is."""
    if args.inbox:
        answer = waiting.for_inbox(context, None, args.seconds)
        return inbox.shown(context, answer.body["items"], answer.body["cursor"], ack=False)
    entry = {"id": args.entry} if args.entry else _only(context)
    if entry is None:
        return _taken_up(context)
    answer = waiting.for_entry(context, entry, args.seconds)
    granted = not answer.refused and answer.body.get("claim") is not None
    if context.json:
        as_json(answer.body)
        return EXIT_YES if granted else EXIT_NO
    for line in _told(answer, granted):
        say(line)
    return EXIT_YES if granted else EXIT_NO


def _told(answer: Answer, granted: bool) -> list[str]:
    body = answer.body
    if answer.refused:
        return wording.refusal(body, [])
    if granted:
        return wording.granted(body["claim"])
    if answer.status == 202:
        return ["still waiting", wording.entry_line(body), "next:", f"  interlock wait {body['id']}"]
    return [wording.entry_line(body), f"not granted: {body['ended_why'] or body['state']}"]


def _only(context: Context) -> dict[str, Any] | None:
    """The one entry this run waits with; None where it was granted already, and only has to be taken up."""
    if any(claim["offered"] for claim in holdings.mine(context)):
        return None
    entries = context.call("GET", "sync").body["queue"]
    if len(entries) == 1:
        return dict(entries[0])
    if not entries:
        raise UserError("This run waits for nothing. `interlock claim PATH --wait 10m` waits for ground.", EXIT_NO)
    names = ", ".join(f"{entry['id']} ({wording.ground(entry['scopes'])})" for entry in entries)
    raise UserError(f"This run waits for several things; name one: {names}")


def _taken_up(context: Context) -> int:
    offered = {claim["id"] for claim in holdings.mine(context) if claim["offered"]}
    held = [claim for claim in context.call("GET", "sync").body["claims"] if claim["id"] in offered]
    if context.json:
        as_json({"items": held})
    for line in () if context.json else [line for claim in held for line in wording.granted(claim)]:
        say(line)
    return EXIT_YES if held else EXIT_NO
