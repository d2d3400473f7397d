"""`interlock status`: who and where I am."""

from argparse import ArgumentParser, Namespace
from typing import Any

from mcp_gateway.agent import holdings, repo, wording
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.http import Refused
from mcp_gateway.agent.output import EXIT_YES, as_json, say
from mcp_gateway.agent.runs import Run

HELP = "who and where I am, my run, what it holds, what guards it"


def arguments(parser: ArgumentParser) -> None:
    """None."""


def run(args: Namespace, context: Context) -> int:
    """Registers nothing. 3 when the server cannot be reached or the token is not good there."""
    settings = context.settings
    me = context.client.request("GET", "/api/v1/me").body
    context.client.request("GET", "")  # the project: 404 where it is another team's, or misspelt
    found = context.found
    instance = _instance(context, found)
    claims = holdings.listed(context, {"instance": found.instance, "state": "held"}) if found else []
    told = {
        "url": settings.url,
        "project": f"{settings.team}/{settings.project}",
        "repository": settings.repository,
        "settings": str(settings.file) if settings.file else None,
        "checkout": str(context.checkout.top) if context.checkout else None,
        "branch": repo.branch(context.checkout) if context.checkout else None,
        "token": {"name": me["name"], "agent": me["agent"], "scopes": me["scopes"]},
        "run": {"handle": found.handle, "agent": found.agent, "tool": found.tool} if found else None,
        "instance": instance,
        "claims": claims,
    }
    if context.json:
        as_json(told)
    else:
        for line in _lines(told, found, instance, claims):
            say(line)
    return EXIT_YES


def _instance(context: Context, found: Run | None) -> dict[str, Any] | None:
    if found is None:
        return None
    try:
        return dict(context.client.request("GET", f"instances/{found.instance}").body)
    except Refused as problem:
        if problem.kind == "not_found":
            return None
        raise


def _lines(told: dict[str, Any], found: Run | None, instance: dict[str, Any] | None, claims: list[Any]) -> list[str]:
    token = told["token"]
    bound = f", bound to {token['agent']}" if token["agent"] else ""
    lines = [
        f"server    {told['url']}",
        f"project   {told['project']}" + (f", repository {told['repository']}" if told["repository"] else ""),
        f"checkout  {told['checkout'] or 'none'}" + (f", branch {told['branch']}" if told["branch"] else ""),
        f"settings  {told['settings'] or 'from the environment'}",
        f"token     {token['name']}{bound}: {', '.join(token['scopes'])}",
    ]
    if found is None:
        return [*lines, "run       none yet: `interlock sync` or the first claim registers one"]
    if instance is None:
        return [*lines, f"run       {found.handle} is not known to this server: `interlock sync` registers a new one"]
    lines.append(
        f"run       {instance['agent']} ({found.handle}), {found.tool or instance['tool']}, {instance['status']}"
    )
    guard = instance.get("guard")
    if guard:
        lines.append(f"guard     {guard['state']}: {guard['why']}")
    lines += [f"holds     {wording.claim_line(claim)}" for claim in claims]
    return lines if claims else [*lines, "holds     nothing"]
