"""`interlock say`: write to a run, to an agent, or to all."""

import sys
from argparse import ArgumentParser, Namespace

from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_NO, EXIT_YES, UserError, as_json
from mcp_gateway.agent.output import say as tell

HELP = "write to a run, to an agent, or to all"
_KINDS = ("note", "question", "answer", "blocker", "handoff", "decision", "approval", "notice")


def arguments(parser: ArgumentParser) -> None:
    """To whom, and what."""
    parser.add_argument("to", metavar="TO", help="ins_…, an agent's name, or all")
    parser.add_argument("text", nargs="+", metavar="TEXT", help="what to say; - reads it from standard input")
    parser.add_argument("--kind", choices=_KINDS, default="note", help="what it is (default: note)")
    parser.add_argument(
        "--importance", choices=("low", "normal", "high", "urgent"), default="normal", help="default: normal"
    )
    parser.add_argument("--reply-to", metavar="MESSAGE", help="msg_… that this answers")
    parser.add_argument("--ack", action="store_true", help="ask to be told when it was read")


def run(args: Namespace, context: Context) -> int:
    """Post it."""
    text = sys.stdin.read() if args.text == ["-"] else " ".join(args.text)
    if not text.strip():
        raise UserError("There is nothing to say")
    body = {"to": args.to, "text": text.rstrip("\n"), "kind": args.kind, "importance": args.importance}
    body |= {"ack_required": args.ack} | ({"reply_to": args.reply_to} if args.reply_to else {})
    answer = context.call("POST", "messages", body)
    if context.json:
        as_json(answer.body)
    elif answer.refused:
        tell(f"refused: {answer.body['detail']}")
    else:
        tell(f"said to {answer.body['to']}: {answer.body['id']}")
    return EXIT_NO if answer.refused else EXIT_YES
