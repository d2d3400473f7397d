"""`interlock queue`: who waits for what, and giving up a wait."""

from argparse import ArgumentParser, Namespace

from mcp_gateway.agent import waiting, wording
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_NO, EXIT_USE, EXIT_YES, UserError, as_json, say

HELP = "who waits for what; give up a wait"


def arguments(parser: ArgumentParser) -> None:
    """`queue`, or `queue cancel ENTRY`."""
    parser.add_argument("action", nargs="?", choices=("list", "cancel"), default="list", help="default: list")
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help="que_…, for cancel")


def run(args: Namespace, context: Context) -> int:
    """List those who wait, in the order of their arrival; or give up."""
    if args.action == "cancel":
        return _cancel(args.entries, context)
    if args.entries:
        raise UserError("`interlock queue` lists; to give up a wait say `interlock queue cancel ENTRY`", EXIT_USE)
    page = context.client.request("GET", "queue", query={"limit": 200}).body
    if context.json:
        as_json(page)
        return EXIT_YES
    for entry in page["items"]:
        say(f"{wording.who(entry['holder'])}  {wording.entry_line(entry)}")
    if not page["items"]:
        say("nobody waits")
    return EXIT_YES


def _cancel(entries: list[str], context: Context) -> int:
    if not entries:
        raise UserError("Name the entry: `interlock queue` lists them", EXIT_USE)
    left = [waiting.cancel(context, entry).body for entry in entries]
    if context.json:
        as_json({"items": left})
    for entry in () if context.json else left:
        say(wording.entry_line(entry))
        if entry.get("claim"):
            say(
                f"  it had been granted: {wording.claim_line(entry['claim'])}. To give it back: interlock release "
                f"{entry['claim']['id']}"
            )
    return EXIT_YES if all(entry["state"] == "cancelled" for entry in left) else EXIT_NO
