"""`interlock inbox`: messages, and what happened to my claims."""

from argparse import ArgumentParser, Namespace

from mcp_gateway.agent import news, options, waiting
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_NO, EXIT_YES, as_json, say

HELP = "messages, and what happened to my claims"
ABOUT = """\
messages, and what happened to my claims, oldest first.

What was shown stays unread until `--ack`: an answer that got lost on the way loses no mail.
"""


def arguments(parser: ArgumentParser) -> None:
    """What to do with it."""
    parser.add_argument("--ack", action="store_true", help="having shown it, mark it as read and tell the senders")
    parser.add_argument("--wait", type=options.duration, metavar="TIME", help="where it is empty, wait so long")


def run(args: Namespace, context: Context) -> int:
    """0 when there is something."""
    if args.wait:
        answer = waiting.for_inbox(context, None, args.wait)
    else:
        answer = context.call("GET", "inbox", query={"limit": 200})
    inbox = answer.body
    return shown(context, inbox["items"], inbox["cursor"], ack=args.ack)


def shown(context: Context, items: list[dict[str, object]], cursor: str, *, ack: bool) -> int:
    """Show an inbox, and then mark it as read where that is wanted; 0 when there was something."""
    if context.json:
        as_json({"items": items, "cursor": cursor})
    for item in () if context.json else items:
        for line in news.lines(item):
            say(line)
    if items and ack:
        context.call(
            "POST",
            "inbox/ack",
            {"cursor": cursor, "message_ids": _messages(items)} if _messages(items) else {"cursor": cursor},
        )
    if not context.json:
        if not items:
            say("nothing new")
        elif not ack:
            say("interlock inbox --ack marks this as read")
    return EXIT_YES if items else EXIT_NO


def _messages(items: list[dict[str, object]]) -> list[object]:
    return [message["id"] for item in items if isinstance(message := item.get("message"), dict)]
