"""The `interlock` command: finds the module of the command that was asked for, and imports no other.

Exit codes: 0 yes, 1 no (refused, not covered), 2 wrong use, 3 cannot reach or not allowed, 130 interrupted.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from mcp_gateway.agent import VERSION
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_INTERRUPTED, EXIT_USE, EXIT_YES, UserError, clean, paint, warn

if TYPE_CHECKING:
    import argparse

_MODULES = "mcp_gateway.agent.commands."
_PIPE_GONE = 141  # as shells report SIGPIPE


@dataclass(frozen=True)
class Entry:
    """A row of the table.

    Attributes:
        module: below `commands`.
        group: the heading it is listed under; empty: not listed, for programs.
        help: one line.
        answers: whether it takes `--json`.
    """

    module: str
    group: str
    help: str
    answers: bool = True


_HERE, _GROUND, _TALK, _SETUP = "Where am I", "Ground", "Others", "Setup"
COMMANDS: dict[str, Entry] = {
    "status": Entry("status", _HERE, "who and where I am, my run, what it holds, what guards it"),
    "sync": Entry("sync", _HERE, "everything new in one answer: messages, claims, waits, who else is here"),
    "claim": Entry("claim", _GROUND, "claim paths before editing them: all of them, or none"),
    "check": Entry("check", _GROUND, "whether paths are free; changes nothing"),
    "release": Entry("release", _GROUND, "give claims back: by id, by path, or all"),
    "renew": Entry("renew", _GROUND, "hold claims for longer"),
    "claims": Entry("claims", _GROUND, "who holds what"),
    "queue": Entry("queue", _GROUND, "who waits for what; give up a wait"),
    "wait": Entry("wait", _GROUND, "wait for a queued claim, or for a message"),
    "verify": Entry("verify", _GROUND, "whether changes are covered by claims"),
    "roster": Entry("roster", _TALK, "who is here, and what they hold"),
    "say": Entry("say", _TALK, "write to a run, to an agent, or to all"),
    "inbox": Entry("inbox", _TALK, "messages, and what happened to my claims"),
    "init": Entry("init", _SETUP, "wire this repository: settings, clients, hooks"),
    "doctor": Entry("doctor", _SETUP, "check every link of the chain, and how to mend it"),
    "mcp": Entry("mcp", _SETUP, "the gateway's tools over stdio, for MCP clients", answers=False),
    "completion": Entry("completion", _SETUP, "completion for bash, zsh, fish or powershell", answers=False),
    "hook": Entry("hook", "", "what a client's hook calls at each edit", answers=False),
    "git-hook": Entry("githook", "", "what git's hooks call", answers=False),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a narrow terminal shall not end the command
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except UserError as error:
        _complain(str(error))
        return error.code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read has gone; what is still buffered must not complain about it at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_GONE


def _dispatch(arguments: list[str]) -> int:
    name = arguments[0] if arguments else ""
    if name in ("", "-h", "--help") or arguments == ["help"]:
        print(listing())
        return EXIT_YES
    if name in ("-V", "--version"):
        print(f"interlock {VERSION}")
        return EXIT_YES
    if name == "help":
        name, arguments = arguments[1], [arguments[1], "--help"]
    entry = COMMANDS.get(name)
    if entry is None:
        raise UserError(_unknown(name))
    module = module_of(entry)
    # A command that runs at every edit may do without a parser: `quick` answers, or None for the usual way.
    quick = getattr(module, "quick", None)
    if quick is not None and "--help" not in arguments:
        code = quick(arguments[1:], Context())
        if code is not None:
            return int(code)
    found, options = _parsed(parser(name, module), arguments[1:])
    if options is None:
        return found
    return int(module.run(options, Context(json=getattr(options, "json", False))))


def module_of(entry: Entry) -> ModuleType:
    """The module of a command. Each has HELP, `arguments(parser)` and `run(args, context) -> int`."""
    name = _MODULES + entry.module
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UserError(f"This version of interlock ({VERSION}) does not have that command.") from None


def parser(name: str, module: ModuleType) -> "argparse.ArgumentParser":
    """The parser of one command."""
    import argparse

    made = argparse.ArgumentParser(
        prog=f"interlock {name}",
        description=_sentence(getattr(module, "ABOUT", "") or COMMANDS[name].help),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.arguments(made)
    if COMMANDS[name].answers:
        made.add_argument("--json", action="store_true", help="the answer as JSON, for programs")
    return made


def listing() -> str:
    """Every command in one line, in groups."""
    lines = ["usage: interlock COMMAND [ARGUMENT …]", "", "Coordination for agents that share a repository.", ""]
    for group in dict.fromkeys(entry.group for entry in COMMANDS.values() if entry.group):
        lines.append(paint(group, "bold"))
        lines += [f"  {name:<11} {entry.help}" for name, entry in COMMANDS.items() if entry.group == group]
        lines.append("")
    lines.append(
        "interlock help COMMAND says more. Exit codes: 0 yes, 1 no, 2 wrong use, 3 cannot reach or not allowed."
    )
    return "\n".join(lines)


def _parsed(
    made: "argparse.ArgumentParser", arguments: list[str]
) -> "tuple[int, argparse.Namespace] | tuple[int, None]":
    try:
        return EXIT_YES, made.parse_args(arguments)
    except SystemExit as ended:  # argparse has said why, or has printed the help
        return (ended.code if isinstance(ended.code, int) else EXIT_USE), None


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=3, cutoff=0.6)
    meant = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"interlock has no command {clean(name)!r}.{meant} `interlock --help` lists all."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "\n")) else ".")


def _complain(text: str) -> None:
    first, *rest = text.splitlines() or [""]
    print(f"{paint('interlock:', 'red', sys.stderr)} {clean(first)}", file=sys.stderr)
    for line in rest:
        warn(line)
