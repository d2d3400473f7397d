"""`interlock verify`: is what was changed covered by claims, or was it when it was committed?"""

from argparse import ArgumentParser, Namespace

from mcp_gateway.agent import git, verifying
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.git import Change, GitError
from mcp_gateway.agent.output import EXIT_NO, EXIT_USE, EXIT_YES, UserError, as_json, say
from mcp_gateway.agent.repo import branch

HELP = "whether changes are covered by claims"
ABOUT = """\
whether changes are covered by claims.

  interlock verify                    what the working tree changed, and what is new in it
  interlock verify staged             what the next commit would change
  interlock verify range main..HEAD   what the commits changed, by what was attested when they were made

The range is what a pipeline asks, with a token of the preset `ci`. Exit code 1 when the project's policy fails it.
"""
_WHAT = ("worktree", "staged", "range")


def arguments(parser: ArgumentParser) -> None:
    """What to look at."""
    parser.add_argument(
        "what", nargs="?", default="worktree", metavar="worktree|staged|range", help="default: worktree"
    )
    parser.add_argument("range", nargs="?", default="", metavar="A..B", help="for range; either side may be left out")
    parser.add_argument("--attest", action="store_true", help="have the server remember what is covered")


def run(args: Namespace, context: Context) -> int:
    """0 when it passes or only warns, 1 when it fails."""
    what, commits = (args.what, args.range) if args.what in _WHAT else ("range", args.what)
    if (what == "range") == (".." not in commits) or (args.what not in _WHAT and args.range):
        raise UserError("Say worktree, staged, or a range of commits: interlock verify range main..HEAD")
    if args.attest and what == "worktree":
        raise UserError("What is attested is content that git has: stage it, then `interlock verify staged --attest`")
    verification = _verified(context, what, commits, attest=args.attest)
    if context.json:
        as_json(verification)
    else:
        for line in verifying.lines(verification):
            say(line)
    return EXIT_NO if verification["verdict"] == "fail" else EXIT_YES


def _verified(context: Context, what: str, commits: str, *, attest: bool) -> verifying.Shape:
    client = context.client
    run = context.run if attest else context.found
    if run is not None:
        client = client.acting(run.handle)
    try:
        return verifying.ask(
            client,
            changes(context, what, commits),
            against="attestations" if what == "range" else "claims",
            attest=attest,
            branch=branch(context.checkout) if context.checkout else "",
        )
    except GitError as error:
        raise UserError(str(error), EXIT_USE) from None
    except verifying.Superseded as error:
        raise UserError(str(error), EXIT_NO) from None


def changes(context: Context, what: str, commits: str) -> list[Change]:
    """What is to be looked at. Raises GitError."""
    if context.checkout is None:
        raise UserError("This is no git checkout: go to one")
    if what == "staged":
        return git.staged(context.checkout.top)
    if what == "worktree":
        return git.worktree_changes(context.checkout.top)
    # `A...B` is what B changed since the two met, which is what a range is here anyway.
    a, _, b = commits.replace("...", "..").partition("..")
    return git.range_changes(a or "HEAD", b or "HEAD", context.checkout.top)
