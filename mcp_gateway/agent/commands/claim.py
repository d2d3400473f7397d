"""`interlock claim`: ask for ground, and say how to go on where it is refused."""

from argparse import ArgumentParser, Namespace
from typing import Any

from mcp_gateway.agent import ground, options, repo, waiting, wording
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.http import Answer
from mcp_gateway.agent.output import EXIT_NO, EXIT_YES, as_json, say

HELP = "claim paths before editing them: all of them, or none"
ABOUT = """\
claim paths before editing them: all of them, or none.

Paths are taken from the working directory. An existing file is claimed as exactly that file; a directory, and a
pattern with *, ? or **, as what lies below or matches. Other ground goes by kind:name (branch:, migration:, env:,
build:, contract:, task:, port:, git:index).
"""


def arguments(parser: ArgumentParser) -> None:
    """Ground, and the terms it is wanted under."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file, directory, pattern, or kind:name")
    options.mode(parser)
    options.shape(parser)
    parser.add_argument("--reason", default="", help="what for, in one line: others read it")
    parser.add_argument("--ttl", type=options.duration, metavar="TIME", help="how long: 90, 30m, 4h, 1d")
    parser.add_argument(
        "--wait", type=options.duration, metavar="TIME", help="wait so long for what is held; 0: queue, and do not wait"
    )
    parser.add_argument("--urgency", choices=("low", "normal", "high", "blocking"), default="normal", help="of a wait")
    parser.add_argument("--narrow", action="store_true", help="take what is free of it where others hold the rest")
    parser.add_argument("--task", default="", help="the task it is for")
    parser.add_argument("--takeover-reason", default="", metavar="TEXT", help="why lapsed ground is taken over")
    parser.add_argument("--dry-run", action="store_true", help="answer what would happen, and change nothing")


def run(args: Namespace, context: Context) -> int:
    """Claim, wait where that was asked for, and say what came of it."""
    paths = [
        ground.pattern(path, context.checkout, context.cwd, exact=args.exact, tree=args.tree) for path in args.paths
    ]
    body = _terms(args, context) | {"paths": paths, "repository": context.settings.repository}
    answer = _ask(context, body, args)
    if args.narrow and answer.problem == "claim_conflict" and answer.body["narrow_to"]:
        answer = _ask(context, _terms(args, context) | {"scopes": answer.body["narrow_to"]}, args)
    if answer.status == 202 and args.wait:
        answer = _wait(context, answer.body, args.wait)
    if context.json:
        as_json(answer.body)
        return EXIT_YES if _is_yes(answer) else EXIT_NO
    return _tell(answer, args)


def _terms(args: Namespace, context: Context) -> dict[str, Any]:
    terms: dict[str, Any] = {
        "mode": args.mode,
        "ttl_seconds": args.ttl,
        "reason": args.reason,
        "branch": repo.branch(context.checkout) if context.checkout else "",
        "task": args.task,
        "urgency": args.urgency,
        "takeover_reason": args.takeover_reason,
        "dry_run": args.dry_run,
    }
    if args.wait is not None:
        # Queued first, then waited on: the entry is known from the start, whatever happens to a connection.
        terms |= {"wait_seconds": 0, "deadline_seconds": args.wait + 30 if args.wait else None}
    return terms


def _ask(context: Context, body: dict[str, Any], args: Namespace) -> Answer:
    if args.narrow and "paths" in body:  # whether it is free comes first, the queue only for what is left
        body = body | {"wait_seconds": None, "deadline_seconds": None}
    return context.call("POST", "claims", {name: value for name, value in body.items() if value not in (None, "")})


def _wait(context: Context, entry: dict[str, Any], seconds: int) -> Answer:
    with waiting.given_up(context, entry["id"]):
        answer = waiting.for_entry(context, entry, seconds)
    if answer.status == 202:
        answer = waiting.cancel(context, entry["id"])
    if not answer.refused and answer.body.get("claim"):
        return Answer(201, answer.body["claim"])
    return answer


def _is_yes(answer: Answer) -> bool:
    if answer.status == 201:
        return True
    return answer.status == 200 and bool(answer.body.get("free"))


def _tell(answer: Answer, args: Namespace) -> int:
    body = answer.body
    if answer.refused:
        lines = wording.refusal(body, _again(args))
    elif answer.status == 201:
        lines = wording.granted(body)
    elif "free" in body:
        lines = ["free: a claim would be granted"] if body["free"] else ["not free", *wording.conflicts(body)]
    elif answer.status == 202:
        lines = ["queued, not claimed yet", wording.entry_line(body), "next:", f"  interlock wait {body['id']}"]
    else:
        lines = [f"not claimed: {body.get('ended_why') or 'the wait is over'}", wording.entry_line(body)]
    for line in lines:
        say(line)
    return EXIT_YES if _is_yes(answer) else EXIT_NO


def _again(args: Namespace) -> list[str]:
    """The command as it was typed, less what the ways on add to it."""
    said = ["interlock", "claim", *args.paths]
    for name in ("reason", "task"):
        if getattr(args, name):
            said += [f"--{name}", getattr(args, name)]
    for name in ("exact", "tree"):
        if getattr(args, name):
            said.append(f"--{name}")
    return said
