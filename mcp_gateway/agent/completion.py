"""Completion scripts for shells, made from the table of commands and their parsers: they start no process."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

from mcp_gateway.agent import cli

SHELLS = ("bash", "zsh", "fish", "powershell")


@dataclass(frozen=True)
class Option:
    """One option of a command, or its positional words where it has no names."""

    names: tuple[str, ...]
    help: str
    choices: tuple[str, ...] = ()
    takes_value: bool = False


@dataclass(frozen=True)
class Known:
    """What may follow a command's name."""

    name: str
    help: str
    options: tuple[Option, ...] = ()
    words: tuple[str, ...] = ()


def script(shell: str) -> str:
    """The script for one of SHELLS."""
    make = {"bash": _bash, "zsh": _zsh, "fish": _fish, "powershell": _powershell}[shell]
    return "\n".join(make(list(commands()))) + "\n"


def commands() -> Iterator[Known]:
    """Every listed command, with what its parser takes."""
    for name, entry in cli.COMMANDS.items():
        if entry.group:
            actions = cli.parser(name, cli.module_of(entry))._actions
            options = tuple(_option(action) for action in actions if action.option_strings)
            words = [str(c) for action in actions if not action.option_strings for c in action.choices or ()]
            yield Known(name, entry.help, options, tuple(words))
    yield Known("help", "more about a command", words=tuple(n for n, e in cli.COMMANDS.items() if e.group))


def _option(action: argparse.Action) -> Option:
    choices = tuple(str(choice) for choice in action.choices or ())
    text = "" if action.help in (None, argparse.SUPPRESS) else str(action.help)
    return Option(tuple(action.option_strings), text, choices, action.nargs != 0)


def _bash(known: list[Known]) -> Iterator[str]:
    yield '# bash completion of interlock: eval "$(interlock completion bash)"'
    yield "_interlock() {"
    yield '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" words=""'
    yield "  COMPREPLY=()"
    yield '  if [ "$COMP_CWORD" -eq 1 ]; then'
    yield f'    words="{" ".join(k.name for k in known)} --help --version"'
    yield "  else"
    yield '    case "${COMP_WORDS[1]} $before" in'
    for one in known:
        for option in one.options:
            if option.choices:
                names = " | ".join(f'"{one.name} {name}"' for name in option.names)
                yield f'      {names}) COMPREPLY=($(compgen -W "{" ".join(option.choices)}" -- "$word")); return ;;'
    yield "    esac"
    yield '    case "${COMP_WORDS[1]}" in'
    for one in known:
        yield f'      {one.name}) words="{" ".join(_typed(one))}" ;;'
    yield "    esac"
    yield "  fi"
    yield '  COMPREPLY=($(compgen -W "$words" -- "$word"))'
    yield "}"
    yield "complete -o default -F _interlock interlock"


def _zsh(known: list[Known]) -> Iterator[str]:
    yield "#compdef interlock"
    yield "# zsh completion of interlock: source <(interlock completion zsh)"
    yield "_interlock() {"
    yield "  local -a commands"
    yield "  commands=("
    for one in known:
        yield f"    {_single(one.name + ':' + one.help.replace(':', ' -'))}"
    yield "  )"
    yield "  if (( CURRENT == 2 )); then _describe command commands; return; fi"
    yield '  local name="$words[2]"'
    yield "  shift words; (( CURRENT-- ))"
    yield '  case "$name" in'
    for one in known:
        yield f"    {one.name}) _arguments \\"
        for option in one.options:
            for name in option.names:
                yield f"      {_single(_zsh_option(name, option))} \\"
        rest = f"*:word:({' '.join(one.words)})" if one.words else "*:path:_files"
        yield f"      {_single(rest)} ;;"
    yield "  esac"
    yield "}"
    yield 'if [ "$funcstack[1]" = "_interlock" ]; then _interlock "$@"; else compdef _interlock interlock; fi'


def _zsh_option(name: str, option: Option) -> str:
    text = option.help.replace("[", "(").replace("]", ")").replace(":", " -")
    if not option.takes_value:
        return f"{name}[{text}]"
    return f"{name}[{text}]:value:({' '.join(option.choices)})" if option.choices else f"{name}[{text}]:value:"


def _fish(known: list[Known]) -> Iterator[str]:
    yield "# fish completion of interlock: interlock completion fish | source"
    for one in known:
        yield f"complete -c interlock -f -n __fish_use_subcommand -a {one.name} -d {_single(one.help, fish=True)}"
    for one in known:
        seen = f"-n '__fish_seen_subcommand_from {one.name}'"
        if one.words:
            yield f"complete -c interlock -f {seen} -a {_single(' '.join(one.words), fish=True)}"
        for option in one.options:
            names = " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in option.names)
            value = " -x" if option.choices else " -r" if option.takes_value else ""
            among = f" -a {_single(' '.join(option.choices), fish=True)}" if option.choices else ""
            yield f"complete -c interlock {seen} {names}{value}{among} -d {_single(option.help, fish=True)}"


def _powershell(known: list[Known]) -> Iterator[str]:
    yield "# PowerShell completion of interlock: interlock completion powershell | Out-String | Invoke-Expression"
    yield "Register-ArgumentCompleter -Native -CommandName interlock -ScriptBlock {"
    yield "  param($word, $line, $position)"
    yield "  $known = @{"
    for one in known:
        yield f"    '{one.name}' = @({', '.join(_single(n, fish=None) for n in _typed(one))})"
    yield "  }"
    yield "  $typed = @($line.CommandElements | ForEach-Object { $_.ToString() })"
    yield "  $first = $typed.Count -lt 2 -or ($typed.Count -eq 2 -and $word -ne '')"
    yield "  $words = if ($first) { $known.Keys | Sort-Object } else { $known[$typed[1]] }"
    yield '  $words | Where-Object { $_ -like "$word*" } | ForEach-Object {'
    yield "    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)"
    yield "  }"
    yield "}"


def _typed(one: Known) -> list[str]:
    """Everything that may be typed after a command."""
    return [*one.words, *(name for option in one.options for name in option.names)]


def _single(text: str, *, fish: bool | None = False) -> str:
    """A text in single quotes: of sh and zsh, of fish (True), of PowerShell (None)."""
    if fish:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return "'" + text.replace("'", "''" if fish is None else "'\\''") + "'"
