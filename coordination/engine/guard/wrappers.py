"""Programs and builtins that run other commands, or change where and with what the shell goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .calls import Call, Program
from .edits import FORMATTERS
from .powershell import statements
from .scope import UNKNOWN, known

_ASSIGNED = re.compile(r"[A-Za-z_]\w*=")
_SIMPLE_NAME = re.compile(r"[A-Za-z_]\w*")


class _Wrapper(NamedTuple):
    """How many words of a wrapper stand before the command.

    Attributes:
        valued: options whose value is the next word.
        skipped: words between the options and the command (a duration, `run`).
        quiet: options with which no command is run.
    """

    valued: tuple[str, ...] = ()
    skipped: int = 0
    quiet: tuple[str, ...] = ()


_WRAPPERS: Mapping[str, _Wrapper] = MappingProxyType(
    {
        "sudo": _Wrapper(("-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-r", "-t", "--user", "--group", "--chdir")),
        "doas": _Wrapper(("-u", "-C")),
        "command": _Wrapper(quiet=("-v", "-V")),
        "builtin": _Wrapper(),
        "exec": _Wrapper(("-a",)),
        "nohup": _Wrapper(),
        "setsid": _Wrapper(),
        "time": _Wrapper(("-f", "-o", "--format", "--output")),
        "timeout": _Wrapper(("-k", "-s", "--kill-after", "--signal"), 1),
        "gtimeout": _Wrapper(("-k", "-s", "--kill-after", "--signal"), 1),
        "nice": _Wrapper(("-n", "--adjustment")),
        "ionice": _Wrapper(("-c", "-n", "-p", "--class", "--classdata")),
        "stdbuf": _Wrapper(("-i", "-o", "-e", "--input", "--output", "--error")),
        "chronic": _Wrapper(),
        "unbuffer": _Wrapper(),
        "caffeinate": _Wrapper(("-t", "-w")),
        "npx": _Wrapper(("-p", "--package", "-c", "--call")),
        "bunx": _Wrapper(("-p", "--package")),
        "uvx": _Wrapper(("--from", "--with", "-p", "--python")),
        "pipx": _Wrapper(("--spec",), 1),
        "strace": _Wrapper(("-e", "-o", "-p", "-s")),
    }
)
# Package managers, by the word that makes them run a program.
_RUNNERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "uv": ("run",),
        "poetry": ("run",),
        "pipenv": ("run",),
        "pdm": ("run",),
        "hatch": ("run",),
        "rye": ("run",),
        "bundle": ("exec",),
        "pnpm": ("exec", "dlx"),
        "npm": ("exec",),
        "yarn": ("exec", "dlx", "run"),
        "bun": ("x",),
        "mise": ("exec", "x"),
        "direnv": ("exec",),
        "conda": ("run",),
    }
)
_RUNNER_VALUED = frozenset(
    {
        "--with",
        "--python",
        "-p",
        "--package",
        "--extra",
        "--group",
        "--env-file",
        "-n",
        "--name",
        "--directory",
        "--project",
    }
)


def _wrapped(call: Call) -> None:
    wrapper, args = _WRAPPERS[call.name], list(call.args)
    while args and args[0].startswith("-") and args[0] != "-":
        word = args.pop(0)
        if word in wrapper.quiet:
            return
        if word == "--":
            break
        if word in wrapper.valued and args:
            value = args.pop(0)
            if call.name == "time" and word in ("-o", "--output"):
                call.write(value)
            if word in ("-c", "--call") and call.name == "npx":
                call.script(value)
    args = args[wrapper.skipped :]
    while args and call.name in ("sudo", "doas") and _ASSIGNED.match(args[0]):
        args.pop(0)
    call.other(args)


def _package_runner(call: Call) -> None:
    args = list(call.args)
    while args and args[0].startswith("-"):
        args = args[2 if args[0] in _RUNNER_VALUED else 1 :]
    if args and args[0] in FORMATTERS and call.name in ("yarn", "pnpm"):
        call.other(args)
        return
    if not args or args[0] not in _RUNNERS[call.name]:
        return
    args = args[1:]
    while args and args[0].startswith("-"):
        args = args[2 if args[0] in _RUNNER_VALUED else 1 :]
    if call.name == "direnv":
        args = args[1:]
    call.other(args)


def env(call: Call) -> None:
    """`env`: settings, then a command; `-C` changes the folder, `-S` splits a text."""
    args, scope = list(call.args), call.scope.copy()
    while args and (args[0].startswith("-") or _ASSIGNED.match(args[0])):
        word = args.pop(0)
        name, equals, value = word.partition("=")
        if word in ("-u", "--unset") and args:
            args.pop(0)
        elif word in ("-C", "--chdir") and args:
            scope.enter(args.pop(0))
        elif name == "--chdir" and equals:
            scope.enter(value)
        elif word in ("-S", "--split-string") and args:
            call.script(" ".join(args))
            return
    call.other(args, scope)


def shell(call: Call) -> None:
    """`bash -c 'text'`, and a script that comes in; a script in a file is its own matter."""
    args, code = list(call.args), False
    while args and args[0][:1] in ("-", "+") and args[0] not in ("-", "--"):
        word = args.pop(0)
        if word.startswith("--"):
            args = args[1:] if word in ("--rcfile", "--init-file") else args
            continue
        code = code or "c" in word[1:]
        if word[-1] in "oO":
            args = args[1:]
    if code:
        call.script(args[0] if args and args[0] != "--" else args[1] if args[1:] else UNKNOWN)
    elif not args or args[0] in ("-", "--", "/dev/stdin"):
        if call.stdin is not None:
            call.script(call.stdin)
        elif call.piped:
            call.opaque()


def powershell(call: Call) -> None:
    """`pwsh -Command 'text'`, `cmd /c text`."""
    args = list(call.args)
    text: str | None = None
    while args and text is None:
        word = args.pop(0).lower()
        if word in ("-command", "-c", "/c", "/s/c", "/k"):
            text = " ".join(args)
        elif word in ("-encodedcommand", "-enc", "-e", "-ec"):
            text = UNKNOWN
        elif word in ("-executionpolicy", "-ep", "-ex", "-workingdirectory", "-wd", "-version", "-outputformat"):
            args = args[1:]
        elif not word.startswith(("-", "/")):
            # The older one takes a command where the newer one takes a file.
            text = " ".join([word, *args]) if call.name == "powershell" else ""
    if text is None:
        text = call.stdin if call.stdin is not None else UNKNOWN if call.piped else ""
    if not known(text) or (call.name == "cmd" and "%" in text):
        call.opaque()
    else:
        statements(text, call.scope.copy(), call.shell)


def evaluate(call: Call) -> None:
    """`eval`: its words are read as a command of this very shell."""
    text = " ".join(call.args)
    if known(text):
        call.shell.script(text, call.scope)
    else:
        call.opaque()


def trap(call: Call) -> None:
    """`trap 'command' EXIT`."""
    words = [word for word in call.args if word != "--"]
    if len(words) > 1 and words[0] not in ("-", "-p", "-l", ""):
        call.script(words[0])


def change(call: Call) -> None:
    """`cd`, `pushd`, `popd`."""
    scope = call.scope
    folders = [word for word in call.args if word == "-" or not re.match(r"-[LPe@n]+$|--$", word)]
    if call.name == "popd":
        scope.where, scope.left = (scope.left[-1], scope.left[:-1]) if scope.left else (None, ())
        return
    before = scope.where
    if folders[:1] == ["-"]:
        # Where the shell was before is kept like any other variable.
        folders = list(scope.names.get("OLDPWD", (UNKNOWN,)))
    scope.names["OLDPWD"] = (UNKNOWN if before is None else before or ".",)
    if call.name == "pushd":
        scope.left = (*scope.left, before)
    if folders or call.name == "cd":
        _enter(call, folders[0] if folders else "~", before)
    else:
        scope.where = None


def _enter(call: Call, folder: str, before: str | None) -> None:
    if folder == "." and call.args[:1] == ["-"]:
        call.scope.where = ""
    elif call.args[:1] == ["-"] and before is not None and known(folder):
        call.scope.where = folder
    else:
        call.scope.enter(folder)


def declare(call: Call) -> None:
    """`export`, `local`, `declare`, `readonly`, `typeset`."""
    for word in call.args:
        name, equals, value = word.partition("=")
        if equals and _SIMPLE_NAME.fullmatch(name):
            call.scope.names[name] = (value,)


def forget(call: Call) -> None:
    """`unset`, `read`, `mapfile`, `getopts`: names whose values are not told from here on."""
    for word in call.args:
        call.scope.names.pop(word, None)


PROGRAMS: dict[str, Program] = {
    **dict.fromkeys(_WRAPPERS, _wrapped),
    **dict.fromkeys(_RUNNERS, _package_runner),
    **dict.fromkeys(("bash", "sh", "zsh", "dash", "ksh", "ash"), shell),
    **dict.fromkeys(("cd", "chdir", "pushd", "popd"), change),
    **dict.fromkeys(("export", "local", "declare", "readonly", "typeset"), declare),
    **dict.fromkeys(("unset", "read", "mapfile", "readarray", "getopts"), forget),
    **dict.fromkeys(("pwsh", "powershell", "cmd"), powershell),
    "env": env,
    "eval": evaluate,
    "trap": trap,
}
