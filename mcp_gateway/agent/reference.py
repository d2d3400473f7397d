"""docs/command.md: every command with what it takes, made from the table and the parsers."""

import argparse
from collections.abc import Iterator

from mcp_gateway.agent import cli

_HEAD = """\
<!-- Made by `python3 manage.py docs`. Change mcp_gateway/agent instead. -->
# The command

`interlock` is what runs on a developer's machine: Python 3.11 and nothing else. It finds its settings by walking up to
`.interlock/local.env`, and the run that it acts for by the process that started it, so hooks, tools, shell commands and
commits of one session are one instance ([identity](identity.md)). Paths are taken from the working directory.

| exit code | means |
|---|---|
| 0 | yes |
| 1 | no: refused, not free, not covered, nothing there |
| 2 | wrong use |
| 3 | the server cannot be reached, or does not allow it |
| 130 | interrupted; a wait was given up |

What was asked for goes to the standard output, everything else to the error stream. `NO_COLOR` is honoured.

| variable | says |
|---|---|
| `INTERLOCK_URL`, `INTERLOCK_TOKEN` | where, and by which token; a real value goes before the file's |
| `INTERLOCK_PROJECT` | `team/project` |
| `INTERLOCK_AGENT` | the name that runs are registered under |
| `INTERLOCK_REPOSITORY` | the repository's slug, where it is not the project's default |
| `INTERLOCK_INSTANCE` | the run to act for, before any that was recorded |
"""


def document() -> str:
    """The whole page."""
    lines = [_HEAD]
    for group in dict.fromkeys(entry.group for entry in cli.COMMANDS.values() if entry.group):
        lines.append(f"## {group}\n")
        for name, entry in cli.COMMANDS.items():
            if entry.group == group:
                lines += _command(name, entry)
    return "\n".join(lines).rstrip() + "\n"


def _command(name: str, entry: cli.Entry) -> Iterator[str]:
    made = cli.parser(name, cli.module_of(entry))
    shown = [action for action in made._actions if "--help" not in action.option_strings]
    yield f"### interlock {name}\n"
    for paragraph in (made.description or "").strip().split("\n\n"):
        lines = paragraph.splitlines()
        typed = all(line.startswith(("  ", "interlock ")) for line in lines)
        yield f"```sh\n{_dedented(lines)}\n```\n" if typed else f"{paragraph}\n"
    yield f"```sh\n{_usage(name, shown)}\n```\n"
    rows = [row for action in shown if (row := _row(action))]
    if rows:
        yield "\n".join(["| argument | |", "|---|---|", *rows]) + "\n"


def _usage(name: str, actions: list[argparse.Action]) -> str:
    words = [_word(action) for action in actions if not action.option_strings]
    return " ".join(["interlock", name, *words, "[OPTION …]" if len(actions) > len(words) else ""]).rstrip()


def _word(action: argparse.Action) -> str:
    name = _value(action)
    return {"+": f"{name} …", "*": f"[{name} …]", "?": f"[{name}]"}.get(str(action.nargs), name)


def _value(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(str(choice) for choice in action.choices)
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    return metavar or action.dest.upper().replace("_", "-")


def _row(action: argparse.Action) -> str:
    if action.help == argparse.SUPPRESS:
        return ""
    value = "" if action.nargs == 0 else _value(action)
    names = [f"{name} {value}".strip() for name in action.option_strings] or [value]
    shown = ", ".join(f"`{name}`" for name in names)
    cells = (shown, action.help or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _dedented(lines: list[str]) -> str:
    return "\n".join(line.strip() for line in lines)
