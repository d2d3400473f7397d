"""`interlock git-hook NAME …`: what git's hooks call, with the arguments and the input that git gives them."""

from argparse import REMAINDER, ArgumentParser, Namespace
from collections.abc import Callable, Sequence

from mcp_gateway.agent.context import Context
from mcp_gateway.agent.git import GitError
from mcp_gateway.agent.githooks import commit, push
from mcp_gateway.agent.githooks.desk import GO_ON, Desk
from mcp_gateway.agent.http import NotAllowed, Refused, Unreachable
from mcp_gateway.agent.output import EXIT_YES, UserError, clean, say, warn

HELP = "what git's hooks call: pre-commit, prepare-commit-msg, pre-push, post-rewrite"
ABOUT = """\
what git's hooks call, with the arguments that git gives them.

`--probe` answers one line and does nothing: it shows that the hook leads here.
"""
HOOKS: dict[str, tuple[str, Callable[[Desk, Sequence[str]], int]]] = {
    "pre-commit": ("the commit", commit.before),
    "prepare-commit-msg": ("the message", commit.message),
    "pre-push": ("the push", push.before),
    "post-rewrite": ("what was rewritten", push.rewritten),
}
PROBE = "--probe"


def quick(arguments: Sequence[str], context: Context) -> int | None:
    """Git's arguments are names of files and remotes: none of them is an option of ours."""
    if not arguments or arguments[0] not in HOOKS:
        return None
    return hook(arguments[0], arguments[1:], context)


def arguments(parser: ArgumentParser) -> None:
    """For the help and for completion."""
    parser.add_argument("name", choices=list(HOOKS), help="the hook")
    parser.add_argument("rest", nargs=REMAINDER, metavar="ARGUMENT", help="as git gave them")


def run(args: Namespace, context: Context) -> int:
    """The same."""
    return hook(args.name, args.rest, context)


def hook(name: str, rest: Sequence[str], context: Context) -> int:
    """0 lets git go on, 1 does not. Trouble of our own stops nothing unless the offline policy is closed."""
    what, work = HOOKS[name]
    if PROBE in rest:
        say(f"interlock {name}: here")
        return EXIT_YES
    desk = Desk(context)
    if not desk.wired:
        return GO_ON
    try:
        return work(desk, rest)
    except (Unreachable, NotAllowed, Refused) as error:
        return desk.away(str(error), what)
    except UserError:
        raise
    except (GitError, OSError) as error:
        return desk.away(f"{clean(str(error))}.", what)
    except Exception as error:
        warn(f"interlock: {type(error).__name__} in its own {name}: {clean(str(error))[:300]}")
        return desk.away("a fault of its own.", what)
