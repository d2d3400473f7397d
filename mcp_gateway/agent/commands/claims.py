"""`interlock claims`: who holds what."""

from argparse import ArgumentParser, Namespace
from typing import Any

from mcp_gateway.agent import holdings, wording
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.ground import is_kind, repository_path
from mcp_gateway.agent.output import EXIT_YES, as_json, say

HELP = "who holds what"


def arguments(parser: ArgumentParser) -> None:
    """Filters."""
    parser.add_argument("--mine", action="store_true", help="those of this run")
    parser.add_argument("--path", metavar="PATH", help="those that cover this path")
    parser.add_argument("--agent", metavar="NAME", help="those of this agent")


def run(args: Namespace, context: Context) -> int:
    """List live claims, newest first."""
    query: dict[str, Any] = {"state": "held", "agent": args.agent, "repository": None}
    if args.mine:
        run = context.found
        if run is None:
            return _tell(context, [])
        query["instance"] = run.instance
    if args.path:
        named = is_kind(args.path, context.cwd)
        query["path"] = args.path if named else repository_path(args.path, context.checkout, context.cwd)
        query["repository"] = context.settings.repository
    return _tell(context, holdings.listed(context, query))


def _tell(context: Context, claims: list[holdings.Claim]) -> int:
    if context.json:
        as_json({"items": claims})
        return EXIT_YES
    for claim in claims:
        say(f"{wording.who(claim['holder'])}  {wording.claim_line(claim)}")
        if claim["reason"] or claim["branch"]:
            told = [f"reason: {claim['reason']}"] if claim["reason"] else []
            say("  " + ", ".join(told + ([f"branch {claim['branch']}"] if claim["branch"] else [])))
    if not claims:
        say("no claims")
    return EXIT_YES
