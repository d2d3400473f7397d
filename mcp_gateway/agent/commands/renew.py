"""`interlock renew`: hold claims for longer."""

from argparse import ArgumentParser, Namespace

from mcp_gateway.agent import holdings, options, wording
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_NO, EXIT_YES, as_json, say

HELP = "hold claims for longer"


def arguments(parser: ArgumentParser) -> None:
    """Which, and how long."""
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="clm_…; without any: all that this run holds")
    parser.add_argument("--ttl", type=options.duration, metavar="TIME", help="from now on: 90, 30m, 4h, 1d")


def run(args: Namespace, context: Context) -> int:
    """0 when all of them are held."""
    ids = args.claims or [claim["id"] for claim in holdings.mine(context)]
    body = {"ttl_seconds": args.ttl} if args.ttl else {}
    answers = [(claim_id, context.call("POST", f"claims/{claim_id}/renew", body)) for claim_id in ids]
    if context.json:
        as_json({"items": [answer.body for _, answer in answers]})
    for claim_id, answer in () if context.json else answers:
        if answer.refused:
            now = answer.body.get("held_by")
            say(
                f"lost {claim_id}" + (f": {wording.who(now)} holds it. Stop editing it." if now else ": claim it again")
            )
        else:
            say(f"renewed {wording.claim_line(answer.body)}")
    if not ids and not context.json:
        say("nothing is held")
    return EXIT_NO if any(answer.refused for _, answer in answers) else EXIT_YES
