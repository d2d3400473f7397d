"""`interlock roster`: who is here."""

from argparse import ArgumentParser, Namespace
from typing import Any

from mcp_gateway.agent import wording
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_YES, as_json, say

HELP = "who is here, and what they hold"


def arguments(parser: ArgumentParser) -> None:
    """None."""


def run(args: Namespace, context: Context) -> int:
    """One line for each run, and one for each of its claims."""
    roster = context.client.request("GET", "roster").body
    if context.json:
        as_json(roster)
        return EXIT_YES
    found = context.found
    for one in roster["items"]:
        _tell(one, found is not None and one["id"] == found.instance)
    if not roster["items"]:
        say("nobody is here")
    elif roster["total"] > len(roster["items"]):
        say(f"and {roster['total'] - len(roster['items'])} more")
    return EXIT_YES


def _tell(one: dict[str, Any], mine: bool) -> None:
    guard = (one.get("guard") or {}).get("state")
    told = [one["status"], one["tool"], one["lane"], f"branch {one['branch']}" if one["branch"] else ""]
    told += [f"guard {guard}" if guard else "", f"seen {wording.moment(one['last_seen'])}"]
    me = "  (this run)" if mine else ""
    say(f"{one['agent']} ({one['id']})  {', '.join(word for word in told if word)}{me}")
    if one["intent"]:
        say(f"  intent: {one['intent']}")
    for claim in one["claims"]:
        covered = wording.listed([wording.bare(text) for text in claim["scopes"]])
        say(f"  {claim['id']}  {claim['mode']}  until {wording.moment(claim['expires_at'])}  {covered}")
