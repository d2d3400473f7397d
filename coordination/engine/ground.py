"""Ground: what a scope stands for. Paths and other shared things, each in a name space with a reach.

Rule's source: claims.md, Patterns ("Beside paths, ground can be any shared thing"), and concurrency.md,
"Ground is a set with subtraction".
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .errors import PatternError
from .overlap import meets
from .patterns import Pattern, Syntax, parse

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_FILE, _PATH = "file:", "path:"


class Reach(enum.Enum):
    """How far a name of a kind is the same thing: the caller builds the root key from it."""

    REPOSITORY = "repository"
    PROJECT = "project"
    HOST = "host"
    WORKTREE = "worktree"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of ground.

    Attributes:
        name: what stands before the colon.
        reach: within what a name is unique.
        names: the only names there are, or None for any.
        space: the kind whose name space it shares; '' for its own.
        exact: a name is that path and nothing below it.
    """

    name: str
    reach: Reach
    names: frozenset[str] | None = None
    space: str = ""
    exact: bool = False

    @property
    def shared_space(self) -> str:
        """The kind that stands for the name space."""
        return self.space or self.name


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind("path", Reach.REPOSITORY),
            Kind("file", Reach.REPOSITORY, space="path", exact=True),
            Kind("branch", Reach.REPOSITORY),
            Kind("migration", Reach.REPOSITORY),
            Kind("env", Reach.PROJECT),
            Kind("build", Reach.PROJECT),
            Kind("contract", Reach.PROJECT),
            Kind("task", Reach.PROJECT),
            Kind("port", Reach.HOST),
            Kind("git", Reach.WORKTREE, frozenset({"index", "stash", "head"})),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Ground:
    """One pattern in one name space, minus exceptions.

    Attributes:
        root: opaque key of the name space (a repository's paths, a host's ports, ...), made by the caller.
            Ground under different roots never meets. All patterns of a root agree on `fold`.
        pattern: what is covered.
        excepts: what is taken out again.
        scope: index of the scope in its request; the alternatives of a brace pattern share it.
        symbols: the symbols the scope is narrowed to; () for whole files. Carried, not yet decided on
            (decide.settle_symbols).
    """

    root: str
    pattern: Pattern
    excepts: tuple[Pattern, ...] = ()
    scope: int = 0
    symbols: tuple[str, ...] = ()


def split_kind(text: str) -> tuple[str, str]:
    """(kind, name) of what a scope was written as: `branch:main`, `path:odd:name`, or a bare path.

    Only a word before the first colon makes a kind, so `src/a:b` is a path.

    Raises:
        PatternError: `unknown_kind` for another word, `unknown_name` where the kind has a fixed list of
            names, `empty` for no name.
    """
    word, colon, name = text.partition(":")
    if not colon or not _WORD.fullmatch(word):
        return "path", text
    kind = KINDS.get(word)
    if kind is None:
        known = ", ".join(KINDS)
        raise PatternError("unknown_kind", f"kinds are {known}; for a path with a colon write path:{text}", text)
    if not name:
        raise PatternError("empty", f"name the {word} after the colon", text)
    if kind.names is not None and name not in kind.names:
        raise PatternError("unknown_name", f"{word}: knows {', '.join(sorted(kind.names))}", text)
    return word, name


def written(pattern: Pattern) -> str:
    """A pattern as text that says whether it is exact, in scope syntax: how exceptions are stored.

    A file is told from a path by its `file:`, and text that could be taken for a kind by a `path:`.
    """
    if pattern.exact:
        return _FILE + pattern.text
    word, colon, _ = pattern.text.partition(":")
    return _PATH + pattern.text if colon and _WORD.fullmatch(word) else pattern.text


def in_words(kind: str, text: str) -> str:
    """What `written` wrote as it can be sent back within a scope of `kind` (`branch:`; '' for a bare path)."""
    return text if kind in ("", _FILE, _PATH) else kind + text.removeprefix(_PATH)


def read(text: str, *, fold: bool) -> tuple[Pattern, ...]:
    """The patterns of what `written` wrote. Raises PatternError for what it never writes."""
    exact = text.startswith(_FILE)
    name = text[len(_FILE) :] if exact else text.removeprefix(_PATH)
    return parse(name, syntax=Syntax.SCOPE, fold=fold, exact=exact)


def ground_meets(a: Ground, b: Ground) -> bool:
    """Whether some path of the same root is in both. Ground alone: holders, modes, symbols do not matter."""
    return a.root == b.root and meets(a.pattern, a.excepts, b.pattern, b.excepts)
