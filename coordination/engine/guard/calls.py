"""One call of a program: its words, what comes in, and the ways to say what it does."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from .scope import UNKNOWN, Scope, known


class Shell(Protocol):
    """Who reads commands: programs that run others hand them back."""

    def run(self, call: Call) -> None:
        """Reads a call of any program."""

    def script(self, text: str, scope: Scope) -> None:
        """Reads the text of a script."""


@dataclass(slots=True)
class Call:
    """A program and its words.

    Attributes:
        name: the program, without folder and `.exe`.
        args: the words behind it; what is not known in them is `UNKNOWN`.
        stdin: the text of its here-document or here-string; None when it has none.
        piped: something else comes in.
    """

    shell: Shell
    scope: Scope
    name: str
    args: list[str]
    stdin: str | None = None
    piped: bool = False

    def write(self, *paths: str) -> None:
        """Files that are written."""
        for path in paths:
            self.scope.write(path)

    def delete(self, *paths: str) -> None:
        """Files or folders that go away."""
        for path in paths:
            self.scope.delete(path)

    def opaque(self) -> None:
        """It writes what cannot be told."""
        self.scope.found.opaque = True

    def other(self, argv: list[str], scope: Scope | None = None) -> None:
        """Another program is run in its place."""
        if argv:
            self.shell.run(Call(self.shell, scope or self.scope, program(argv[0]), argv[1:], self.stdin, self.piped))

    def script(self, text: str) -> None:
        """A script is run, in a shell of its own."""
        if known(text):
            self.shell.script(text, self.scope.copy())
        else:
            self.opaque()

    def into(self, folder: str, paths: Iterable[str]) -> None:
        """Files are put into a folder under their own names."""
        for path in paths:
            base = posixpath.basename(path.rstrip("/"))
            self.write(posixpath.join(folder, base) if base not in ("", ".", "..") else UNKNOWN)


Program = Callable[[Call], None]


def program(word: str) -> str:
    """The name a program is known by."""
    name = word.replace("\\", "/").rsplit("/", 1)[-1]
    # Package runners take a version behind the name.
    return (name.partition("@")[0] or name).removesuffix(".exe")


@dataclass(slots=True)
class Options:
    """Words of a call, sorted.

    Attributes:
        operands: what is no option.
        values: the options by their letter or long name (`i`, `in-place`), with their values; empty without one.
    """

    operands: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        """Whether the option was given."""
        return name in self.values

    def any(self, *names: str) -> bool:
        """Whether one of the options was given."""
        return any(name in self.values for name in names)


def options(args: list[str], valued: str = "", long: Iterable[str] = (), *, single: bool = False) -> Options:
    """Sorts the words of a call in the manner of getopt.

    Args:
        args: the words behind the program's name.
        valued: letters of the options that take a value.
        long: names of the long options whose value is the next word.
        single: long options are written with one dash (`-write`), as programs in Go have them.
    """
    result = Options()
    takes, rest = frozenset(long), list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            result.operands += rest
            break
        if not word.startswith("-") or word == "-":
            result.operands.append(word)
        elif word.startswith("--") or single:
            name, equals, value = word.lstrip("-").partition("=")
            result.values[name] = value if equals or name not in takes or not rest else rest.pop(0)
        else:
            _letters(word, valued, rest, result)
    return result


def _letters(word: str, valued: str, rest: list[str], result: Options) -> None:
    for at, letter in enumerate(word[1:], 2):
        if letter in valued:
            result.values[letter] = word[at:] or (rest.pop(0) if rest else "")
            return
        result.values[letter] = ""
