"""`interlock init`: wire a repository, put its wiring right, or take it out again (docs/concepts/wiring.md)."""

from __future__ import annotations

import os
import shutil
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_NO, EXIT_YES, UserError, as_json, say, table
from mcp_gateway.agent.repo import Checkout, checkout_of
from mcp_gateway.agent.settings import Settings, read, values
from mcp_gateway.agent.wiring import build, localenv, places
from mcp_gateway.agent.wiring.asking import Asker
from mcp_gateway.agent.wiring.edits import UnfitError
from mcp_gateway.agent.wiring.places import Place
from mcp_gateway.agent.wiring.plan import ChangedError, Plan
from mcp_gateway.agent.wiring.tool import Tool
from mcp_gateway.agent.wiring.tools import TOOLS, chosen, present

HELP = "wire this repository: settings, clients, hooks"
ABOUT = """\
Writes the MCP server, the hooks and the protocol of each tool, the git hooks, and the settings of this machine
(.interlock/local.env, never tracked). What others wrote is kept. Run again, it puts right what is missing or old."""


def arguments(parser: ArgumentParser) -> None:
    """Flags for scripts; what is left out is found out, or asked on a terminal."""
    parser.add_argument(
        "--tool", action="append", choices=[*TOOLS, "all"], help="a tool to wire; repeatable (default: those found)"
    )
    parser.add_argument("--url", help="the server's address")
    parser.add_argument("--token", help="the agent token; - reads it from standard input (default: INTERLOCK_TOKEN)")
    parser.add_argument("--project", help="team/project (default: the only one the token may use)")
    parser.add_argument("--agent", help="the name runs here go by")
    parser.add_argument("--repository", help="slug of the repository (default: the one with this remote)")
    parser.add_argument("--http", action="store_true", help="tools ask the server over HTTP, not through the command")
    parser.add_argument("--no-git-hooks", action="store_true", help="leave git's hooks alone")
    parser.add_argument("--yes", action="store_true", help="ask nothing; tracked git hooks (husky) may be edited")
    parser.add_argument("--remove", action="store_true", help="take out what was written")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written, write nothing")


def run(args: Namespace, context: Context) -> int:
    """Plan, write, report. Raises UserError."""
    checkout = checkout_of(context.cwd)
    if checkout is None:
        raise UserError("This is no git repository. Go into one, or make one with `git init`.")
    try:
        if args.remove:
            plan = build.unwire(checkout, chosen(args.tool) if args.tool and "all" not in args.tool else None)
            return _finish(plan, checkout, args, context, [], {})
        return _wire(args, context, checkout)
    except UnfitError as error:
        raise UserError(f"Nothing was written: {error}.") from None


def wanted_values(place: Place, settings: Settings, agent: str, kept: Mapping[str, str]) -> dict[str, str]:
    """What `.interlock/local.env` is to say; a repository that is no longer meant is emptied, not left."""
    found = {
        "INTERLOCK_URL": settings.url,
        "INTERLOCK_TOKEN": settings.token,
        "INTERLOCK_PROJECT": f"{place.team}/{place.project}",
    }
    if agent:
        found["INTERLOCK_AGENT"] = agent
    if place.repository or "INTERLOCK_REPOSITORY" in kept:
        found["INTERLOCK_REPOSITORY"] = place.repository
    return found | {localenv.COMMAND: Path(sys.executable).as_posix()}


def _wire(args: Namespace, context: Context, checkout: Checkout) -> int:
    asker = Asker(questions=not args.yes)
    file = build.settings_file(checkout)
    # What a session's environment says of its agent and repository is its own; where and who is everybody's here.
    kept, said = values(file, {}), values(file, context.env)
    settings = _credentials(args, asker, said, checkout)
    tools = _tools(args, asker, checkout)
    place = places.find(
        settings,
        checkout,
        asker,
        project=args.project or said.get("INTERLOCK_PROJECT", ""),
        repository=args.repository or kept.get("INTERLOCK_REPOSITORY", ""),
    )
    agent = places.check_agent(args.agent or kept.get("INTERLOCK_AGENT", ""), place)
    wanted = build.Wiring(
        checkout,
        tools,
        wanted_values(place, settings, agent, read(file)),
        http=args.http,
        git_hooks=not args.no_git_hooks,
        consent=args.yes or _agrees(args, asker, checkout),
    )
    notes = [*_warnings(place, settings), *(note for tool in tools for note in tool.notes)]
    about = {"team": place.team, "project": place.project, "repository": place.why, "tools": [t.name for t in tools]}
    return _finish(build.wire(wanted), checkout, args, context, notes, about)


def _credentials(args: Namespace, asker: Asker, said: Mapping[str, str], checkout: Checkout) -> Settings:
    url = args.url or said.get("INTERLOCK_URL") or asker.line("The server's address", "--url")
    given = sys.stdin.readline() if args.token == "-" else args.token  # noqa: S105 - the sign for standard input
    token = given or said.get("INTERLOCK_TOKEN") or asker.secret("The agent token", "--token - or INTERLOCK_TOKEN")
    return Settings(
        url=places.check_url(url),
        token=places.check_token(token),
        team="",
        project="",
        agent="",
        repository=None,
        file=None,
        root=checkout.main,
        checkout=checkout,
    )


def _tools(args: Namespace, asker: Asker, checkout: Checkout) -> list[Tool]:
    if args.tool:
        return chosen(args.tool)
    found = present(checkout.top)
    if found:
        return found
    titles = [tool.title for tool in TOOLS.values()]
    return [list(TOOLS.values())[asker.choice("No coding tool was found here.", titles, "--tool")]]


def _agrees(args: Namespace, asker: Asker, checkout: Checkout) -> bool:
    from mcp_gateway.agent.git import GitError
    from mcp_gateway.agent.wiring import githooks

    if args.no_git_hooks or not asker.terminal:
        return False
    try:
        where = githooks.place(checkout)
    except GitError:
        return False
    if where.kind != "tracked":
        return False
    return asker.yes(f"Git's hooks are tracked files here ({where.folder}). Put our lines into them?")


def _warnings(place: Place, settings: Settings) -> list[str]:
    found = []
    if place.lacks:
        found.append(
            f"The token lacks {', '.join(place.lacks)}, which what is wired needs: make one with the preset `agent`."
        )
    if shutil.which("interlock") is None:
        folder = Path(sys.executable).parent
        found.append(
            "Tools start `interlock` by its name, and it is not on the PATH: put it there for every shell "
            f"(pipx install, or a link to {folder / 'interlock'} in a folder of the PATH). Until then no hook runs."
        )
    host = settings.url.partition("://")[2].partition("/")[0].rpartition(":")[0] or settings.url
    if settings.url.startswith("http://") and host not in ("localhost", "127.0.0.1", "[::1]"):
        found.append("The address is plain http: whoever is on the way can read the token. Use https.")
    return found


def _finish(
    plan: Plan, checkout: Checkout, args: Namespace, context: Context, notes: list[str], about: dict[str, Any]
) -> int:
    told, dry = build.lines(plan, checkout.top), bool(args.dry_run)
    changes = [line for line in told if line[0] != "kept"]
    if not dry:
        try:
            build.apply(plan, checkout, removing=args.remove)
        except ChangedError as error:
            raise UserError(f"{error}. Run it again.", EXIT_NO) from None
        except OSError as error:
            raise UserError(f"Nothing was written: {error.strerror or error} ({error.filename}).", EXIT_NO) from None
    by_hand = [{"path": _shown(each.path, checkout), "why": each.why, "add": each.add} for each in plan.by_hand]
    if context.json:
        files = [dict(zip(("done", "path", "what"), line, strict=True)) for line in told]
        as_json(about | {"dry_run": dry, "changed": bool(changes), "files": files, "by_hand": by_hand, "notes": notes})
    else:
        _tell(told, changes, by_hand, notes, args, about)
    return EXIT_NO if by_hand else EXIT_YES


def _tell(
    told: list[tuple[str, str, str]],
    changes: list[tuple[str, str, str]],
    by_hand: list[dict[str, str]],
    notes: list[str],
    args: Namespace,
    about: Mapping[str, Any],
) -> None:
    if about:
        say(f"{about['team']}/{about['project']}, repository {about['repository']}")
    table(told)
    if args.dry_run:
        say("Nothing was written (--dry-run).")
    elif not changes:
        say("Nothing to change." if told or not args.remove else "Nothing of ours is here.")
    for each in by_hand:
        say(f"By hand, {each['path']}: {each['why']}. Add:")
        for line in each["add"].splitlines():
            say(f"  {line}")
    for note in notes:
        say(f"! {note}")
    if about and not args.dry_run:
        say("Next: `interlock doctor`, then commit what is tracked.")


def _shown(path: Path, checkout: Checkout) -> str:
    return os.path.relpath(path, checkout.top)
