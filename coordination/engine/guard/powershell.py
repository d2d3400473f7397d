"""What a PowerShell command writes: the common cmdlets and their aliases, redirections, and programs such as git.

Rests on Microsoft's reference of the cmdlets, seen in 2026-11. It reads less than the reader of shells does: what
stands in parentheses or braces is read by itself, and what it works out to is not known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from .calls import Call, Shell, program
from .scope import UNKNOWN, Scope, known
from .types import DELETE, WRITE

_MAX_STATEMENTS = 2000
# A word, a text in quotes, a redirection, or what ends a statement. What may run over lines is only opened here.
_TOKEN = re.compile(
    r"""(?P<opened>@'\r?\n|@"\r?\n|<\#) | (?P<comment>(?<![^\s;|&(){}])\#[^\n]*)
      | '(?P<single>(?:[^']|'')*)' | "(?P<double>(?:[^"`]|`.|"")*)"
      | (?P<redirect>[*0-9]?>&[0-9]|[*0-9]?>>?)
      | (?P<end>\$\(|@\(|&&|\|\||[;|&(){}\n])
      | (?P<space>[ \t\r]+|`\r?\n) | (?P<comma>,) | (?P<plain>(?:`.|[^\s;|&(){},'"<>`])+) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_CLOSES = {"@'": ("literal", "\n'@"), '@"': ("here", '\n"@'), "<#": ("comment", "#>")}
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")
_ASSIGNED = re.compile(r"\$([A-Za-z_]\w*)")
_DOTNET = re.compile(
    r"\[(System\.)?IO\.(File|Directory|StreamWriter)\]::(Write|Append|Delete|Move|Copy|Create|Replace|new)", re.I
)
_SWITCHES = (
    "force", "recurse", "append", "nonewline", "passthru", "confirm", "whatif", "noclobber", "notypeinformation",
    "asbytestream", "verbose", "usebasicparsing", "usequotes", "container",
)  # fmt: skip


@dataclass(slots=True)
class _Statement:
    """The words of one statement; a word is a list of what stood between commas."""

    words: list[list[str]] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    # The word that was quoted is no parameter, whatever it begins with.
    quoted: set[int] = field(default_factory=set)


def statements(text: str, scope: Scope, shell: Shell) -> None:
    """Reads a PowerShell text into the findings of `scope`."""
    if UNKNOWN in text or _DOTNET.search(text):
        scope.found.opaque = True
    read = _split(text.replace(UNKNOWN, "$"), scope)
    if len(read) > _MAX_STATEMENTS:
        scope.found.opaque = True
    for statement in read[:_MAX_STATEMENTS]:
        for path in statement.written:
            if path.lower() != "$null":
                scope.write(_slashed(_put_in(path, scope)))
        if statement.words:
            _statement(statement, scope, shell)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of each token; one that is never closed takes all that is left."""
    at = 0
    while token := _TOKEN.match(text, at):
        at, kind = token.end(), token.lastgroup or ""
        if kind != "opened":
            yield kind, token[kind]
            continue
        kind, close = _CLOSES[token[0][:2]]
        # The line that ends a here-string may follow the one that begins it.
        end = text.find(close, at - 1 if kind != "comment" else at)
        yield kind, text[at : max(at, end)] if end >= 0 else text[at:]
        at = end + len(close) if end >= 0 else len(text)


def _split(text: str, scope: Scope) -> list[_Statement]:
    current = _Statement()
    result, fresh, target = [current], True, False
    for kind, token in _tokens(text):
        if kind in ("space", "comment"):
            # A comma goes on with its list on the other side of a blank.
            fresh = not (current.words and len(current.words[-1]) > 1 and not current.words[-1][-1])
        elif kind == "end":
            # Whatever has parentheses in it is a word that is not known, and one of its own.
            if token[-1] == "(" and not fresh:
                _add(current, UNKNOWN, False, target)
            current, fresh, target = _Statement(), True, False
            result.append(current)
        elif kind == "redirect":
            target, fresh = "&" not in token, True
        elif kind == "comma" and current.words:
            current.words[-1].append("")
            fresh = False
        elif kind != "comma":
            _add(current, _text(token, kind), fresh, target)
            if kind in ("single", "double", "literal", "here") and fresh and not target:
                current.quoted.add(len(current.words) - 1)
            fresh, target = False, target and not current.written
    return result


def _add(statement: _Statement, text: str, fresh: bool, target: bool) -> None:
    if target:
        statement.written.append(text)
    elif fresh or not statement.words:
        statement.words.append([text])
    else:
        statement.words[-1][-1] += text


def _text(text: str, kind: str) -> str:
    if kind == "single":
        return text.replace("''", "'")
    # Variables are put in when the statement is read, for they may be set by one before.
    return re.sub(r"`(.)", r"\1", text, flags=re.DOTALL) if kind in ("double", "here", "plain") else text


def _put_in(text: str, scope: Scope) -> str:
    """Variables replaced by what was set before."""
    text = _VARIABLE.sub(lambda found: scope.names.get("$" + found[1].lower(), (UNKNOWN,))[0], text)
    return text.replace("$", UNKNOWN) if "$" in text else text


def _statement(statement: _Statement, scope: Scope, shell: Shell) -> None:
    words = [[_put_in(one, scope) for one in word] for word in statement.words]
    first = statement.words[0][0]
    if (named := _ASSIGNED.fullmatch(first)) and len(words) > 1 and words[1] == ["="]:
        literal = len(words) == 3 and len(words[2]) == 1 and 2 in statement.quoted
        scope.names["$" + named[1].lower()] = (words[2][0] if literal else UNKNOWN,)
        if len(words) > 2 and not literal:
            words, statement.quoted = words[2:], {at - 2 for at in statement.quoted}
        else:
            return
    name = program(words[0][0]).lower()
    if reads := _CMDLETS.get(name):
        reads(_sorted(words[1:], {at - 1 for at in statement.quoted}), scope)
    elif known(name):
        args = [",".join(word) for word in words[1:]]
        shell.run(Call(shell, scope, name, args))


@dataclass(slots=True)
class _Given:
    """The parameters of a cmdlet: by their name, and those without."""

    named: dict[str, list[str]] = field(default_factory=dict)
    loose: list[list[str]] = field(default_factory=list)

    def take(self, *names: str) -> list[str] | None:
        """The values of a parameter by its name, else the next one without a name."""
        for name in names:
            if name in self.named:
                return self.named[name]
        return self.loose.pop(0) if self.loose else None


def _sorted(words: list[list[str]], quoted: set[int]) -> _Given:
    given, at = _Given(), 0
    while at < len(words):
        word = words[at]
        if at in quoted or not re.match(r"-[A-Za-z]", word[0]):
            given.loose.append(word)
        else:
            name, colon, value = word[0][1:].lower().partition(":")
            if any(switch.startswith(name) for switch in _SWITCHES):
                given.named[name[:3]] = [value]
            elif colon and value:
                given.named[name] = [value, *word[1:]]
            else:
                at += 1
                given.named[name] = words[at] if at < len(words) else [UNKNOWN]
        at += 1
    return given


def _slashed(path: str) -> str:
    if set(path) & set("*?["):
        return UNKNOWN
    return path.replace("\\", "/")


def _touch(scope: Scope, paths: list[str] | None, action: str) -> None:
    for path in paths or [UNKNOWN]:
        scope.touch(_slashed(path), action)


def _tried(given: _Given) -> bool:
    return "wha" in given.named


def _writes(given: _Given, scope: Scope) -> None:
    _touch(scope, given.take("path", "filepath", "literalpath", "pspath"), WRITE)


def _new(given: _Given, scope: Scope) -> None:
    if given.named.get("itemtype", given.named.get("type", [""]))[0].lower() in ("directory", "d", "dir"):
        return
    folder, name = given.take("path") or [""], given.named.get("name")
    paths = [f"{one}/{name[0]}" if one else name[0] for one in folder] if name else folder
    _touch(scope, paths, WRITE)


def _removes(given: _Given, scope: Scope) -> None:
    if _tried(given):
        return
    paths = given.take("path", "literalpath")
    if given.named.keys() & {"filter", "include", "exclude"}:
        paths = None
    _touch(scope, paths, DELETE)


def _clears(given: _Given, scope: Scope) -> None:
    _touch(scope, given.take("path", "literalpath"), WRITE)


def _copies(given: _Given, scope: Scope) -> None:
    _transfer(given, scope, moved=False)
    if "rec" in given.named or "r" in given.named:
        scope.found.opaque = True


def _moves(given: _Given, scope: Scope) -> None:
    _transfer(given, scope, moved=True)


def _transfer(given: _Given, scope: Scope, *, moved: bool) -> None:
    if _tried(given):
        return
    sources, target = given.take("path", "literalpath") or [UNKNOWN], given.take("destination") or ["."]
    if moved:
        _touch(scope, sources, DELETE)
    folder = _slashed(target[0])
    if len(sources) > 1 or folder.endswith("/") or folder in (".", ".."):
        bases = [_slashed(source).rstrip("/").rpartition("/")[2] for source in sources]
        _touch(scope, [f"{folder.rstrip('/')}/{base}" if folder != "." else base for base in bases], WRITE)
    else:
        scope.write(folder)


def _renames(given: _Given, scope: Scope) -> None:
    path, name = (given.take("path", "literalpath") or [UNKNOWN])[0], (given.take("newname") or [UNKNOWN])[0]
    folder, slash, _ = _slashed(path).rpartition("/")
    scope.delete(_slashed(path))
    scope.write(folder + slash + _slashed(name))


def _enters(given: _Given, scope: Scope) -> None:
    folder = given.take("path", "literalpath")
    scope.enter(_slashed(folder[0]) if folder else UNKNOWN)


def _leaves(given: _Given, scope: Scope) -> None:
    scope.where = None


def _fetches(given: _Given, scope: Scope) -> None:
    for name in ("outfile", "o"):
        if name in given.named:
            _touch(scope, given.named[name], WRITE)


def _opaque(given: _Given, scope: Scope) -> None:
    scope.found.opaque = True


_Cmdlet = Callable[[_Given, Scope], None]
_BY_NAME: Mapping[str, _Cmdlet] = {
    "set-content sc add-content ac out-file export-csv epcsv export-clixml tee-object tee start-transcript": _writes,
    "clear-content clc": _clears,
    "new-item ni": _new,
    "remove-item ri rm del erase rd rmdir": _removes,
    "copy-item cpi cp copy": _copies,
    "move-item mi mv move": _moves,
    "rename-item rni ren": _renames,
    "set-location cd sl chdir push-location pushd": _enters,
    "pop-location popd": _leaves,
    "invoke-webrequest iwr invoke-restmethod irm": _fetches,
    "invoke-expression iex expand-archive": _opaque,
}
_CMDLETS: Mapping[str, _Cmdlet] = MappingProxyType(
    {name: reads for names, reads in _BY_NAME.items() for name in names.split()}
)
