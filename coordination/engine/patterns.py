"""Patterns: the grammar of claimed ground, its normal form, and matching (claims.md, Patterns).

A pattern is anchored at the repository's root and stands for a set of paths. `PATH` syntax is what `paths`,
hooks and the command line speak: only `*`, `?`, a whole-segment `**` and a trailing `/` are special. `SCOPE`
syntax adds classes `[a-c]` (negated: `[!a-c]`, `[^a-c]`), braces `{a,b}` and `\\` as escape. `*` and `?` also
match a leading dot. Characters are code points of the NFC form.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata
from dataclasses import dataclass, field

from .braces import class_end, expand
from .charset import CharSet, charset, fold_text
from .errors import PatternError
from .segment import Segment, Token, Wild
from .shape import DEEP, Item, Shape, Tail

__all__ = ["Pattern", "PatternError", "Syntax", "ancestors", "escaped", "normal_path", "parse"]

MAX_CHARS = 1024
MAX_SEGMENTS = 64

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_PATH_SPECIAL = re.compile(r"[*?]")
_SCOPE_SPECIAL = re.compile(r"[*?\[\\]")
_ESCAPABLE = frozenset("*?[]{},\\!^-")
_ESCAPE = re.compile(r"\\.")
_MANY = re.compile(r"[*?\[{]")
_MEANT = re.compile(r"([*?\[\]{}\\])")


class Syntax(enum.Enum):
    """Which characters are special; see the module."""

    PATH = "path"
    SCOPE = "scope"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A set of paths, in normal form.

    Two patterns are equal when they were written the same; `overlap` compares what they cover.

    Attributes:
        text: as written, normalised (NFC, no leading `./`), before folding; one brace alternative.
        prefix: the leading literal segments, folded when `fold`; '' for the root. Every covered path is the
            prefix or lies below it, which is what lock keys and the index of claims rest on.
        literal: a plain path, covering itself and everything below.
        exact: one file: the path itself and nothing below it.
        syntax: how `text` is to be read; store it with the text.
        fold: compared without case. Compare only patterns that agree on this.
        plain: no wildcards, and what lies below is covered: a literal, or a directory (`a/`, `a/**`, `**`)
            which covers what is strictly below.
        shape: the compiled form.
    """

    text: str
    prefix: str
    literal: bool
    exact: bool
    syntax: Syntax
    fold: bool
    plain: bool = field(compare=False, repr=False)
    shape: Shape = field(compare=False, repr=False)

    def matches(self, path: str) -> bool:
        """Whether `path` is covered: relative to the root, no trailing `/`, in any Unicode form or case."""
        path = normal_path(path, fold=self.fold)
        if self.plain:
            prefix = self.prefix
            if not prefix:
                return path != ""
            return path.startswith(prefix) and (path[len(prefix) :][:1] == "/" or (self.literal and path == prefix))
        if self.exact:
            return path == self.prefix
        return self.shape.matcher.match(path) is not None


def normal_path(path: str, *, fold: bool = False) -> str:
    """`path` as patterns compare it: NFC, and folded for a case-insensitive repository."""
    if not path.isascii():
        path = unicodedata.normalize("NFC", path)
    return fold_text(path) if fold else path


def escaped(path: str) -> str:
    """`path`, in which no character is special, as text in `SCOPE` syntax."""
    return _MEANT.sub(r"\\\1", path)


def parse(text: str, *, syntax: Syntax = Syntax.PATH, fold: bool = False, exact: bool = False) -> tuple[Pattern, ...]:
    """The patterns `text` stands for: one, or with braces one for each alternative (at most 64).

    Args:
        text: the pattern as its author wrote it.
        syntax: which characters are special.
        fold: the repository compares without case.
        exact: one file is meant, so wildcards and a trailing `/` are refused.

    Raises:
        PatternError: anything outside the grammar; `rule` says which part of it.
    """
    return _parse(text, syntax, fold, exact)


def ancestors(prefix: str) -> tuple[str, ...]:
    """The root '' and every proper ancestor directory of `prefix`, shallow first; () for the root itself."""
    if not prefix:
        return ()
    found = [""]
    at = prefix.find("/")
    while at >= 0:
        found.append(prefix[:at])
        at = prefix.find("/", at + 1)
    return tuple(found)


# Bounded: a claim names its patterns again on every check, hook call and renewal.
@functools.lru_cache(maxsize=16_384)
def _parse(text: str, syntax: Syntax, fold: bool, exact: bool) -> tuple[Pattern, ...]:
    normal = _normalise(text)
    if exact:
        _refuse_many(normal, syntax, text)
    if syntax is Syntax.PATH:
        if "\\" in normal:
            raise PatternError("backslash", "separate segments with / ; paths know no escapes", text)
        return (_build(normal, text, syntax, fold, exact),)
    # A combining mark after a brace composes with what the alternative put before it.
    alternatives = dict.fromkeys(unicodedata.normalize("NFC", alternative) for alternative in expand(normal))
    return tuple(_build(alternative, text, syntax, fold, exact) for alternative in alternatives)


def _refuse_many(normal: str, syntax: Syntax, text: str) -> None:
    """One file is meant: refuse what could stand for more than one."""
    special, bare = (_PATH_SPECIAL, normal) if syntax is Syntax.PATH else (_MANY, _ESCAPE.sub("", normal))
    if bad := special.search(bare):
        advice = "leave out file:, or in scopes write a \\ before it"
        raise PatternError("exact_wildcard", f"file: is one file, and {bad.group()} stands for more: {advice}", text)
    if normal.endswith("/"):
        raise PatternError("exact_directory", "file: is one file: leave out file:, or the / at the end", text)


def _normalise(text: str) -> str:
    """NFC, without one leading `./`, refused when no path could be meant.

    The forbidden characters go first: a lone surrogate must not reach anything that encodes.
    """
    if bad := _FORBIDDEN.search(text):
        raise PatternError("control_character", f"take out the character U+{ord(bad.group()):04X}", text)
    normal = text if text.isascii() else unicodedata.normalize("NFC", text)
    if len(normal) > MAX_CHARS:
        raise PatternError("too_long", f"at most {MAX_CHARS} characters, this has {len(normal)}", text)
    normal = normal.removeprefix("./")
    if not normal.strip():
        raise PatternError("empty", "name a path, or ** for everything", text)
    return normal


def _build(text: str, original: str, syntax: Syntax, fold: bool, exact: bool) -> Pattern:
    """One alternative, compiled. `original` is named in errors."""
    names = _split(text, original)
    tail = Tail.EXACT
    if not names[-1]:
        tail = Tail.BELOW
        names.pop()
    special = _PATH_SPECIAL if syntax is Syntax.PATH else _SCOPE_SPECIAL
    if not special.search(text):
        literal, wild = (fold_text(text) if fold else text).split("/")[: len(names)], list[Item]()
    else:
        literal, wild = _compile(names, original, syntax, fold)
    if wild and wild[-1] is DEEP:  # a trailing `/**` is everything strictly below, like a trailing `/`
        tail = Tail.BELOW
        wild.pop()
    elif not wild and tail is Tail.EXACT and not exact:
        tail = Tail.SELF_OR_BELOW
    prefix = "/".join(literal)
    shape = Shape(prefix, tuple(wild), tail)
    return Pattern(text, prefix, tail is Tail.SELF_OR_BELOW, exact, syntax, fold, not (wild or exact), shape)


def _split(text: str, original: str) -> list[str]:
    """The segments as written; the last is empty for a trailing `/`."""
    if text.startswith("/"):
        raise PatternError("absolute", "patterns start at the repository's root: leave out the first /", original)
    if not text:
        raise PatternError("empty", "an alternative of the braces is empty", original)
    names = text.split("/")
    if "" in names[:-1]:
        raise PatternError("empty_segment", "take out the doubled /", original)
    if "." in names or ".." in names:
        raise PatternError("dot_segment", "write the path without . and .. segments", original)
    count = len(names) - (not names[-1])
    if count > MAX_SEGMENTS:
        raise PatternError("too_many_segments", f"at most {MAX_SEGMENTS} segments, this has {count}", original)
    return names


def _compile(names: list[str], original: str, syntax: Syntax, fold: bool) -> tuple[list[str], list[Item]]:
    """The leading literal names (folded when `fold`), then the compiled rest."""
    literal: list[str] = []
    wild: list[Item] = []
    for name in names:
        if name == "**":
            if not wild or wild[-1] is not DEEP:  # `**/**` is `**`
                wild.append(DEEP)
            continue
        segment = Segment(_tokens(name, original, syntax, fold))
        if segment.literal is not None and not wild:
            literal.append(segment.literal)
        else:
            wild.append(segment)
    return literal, wild


def _tokens(name: str, original: str, syntax: Syntax, fold: bool) -> list[Token]:
    """The tokens of one segment; literal runs are folded whole, since folding can compose characters."""
    tokens: list[Token] = []
    run = ""
    at = 0
    while at < len(name):
        token, end = _token(name, at, original, syntax, fold)
        at = end
        if isinstance(token, str):
            run += token
            continue
        tokens += fold_text(run) if fold else run
        run = ""
        if token is not Wild.STAR or not tokens or tokens[-1] is not Wild.STAR:
            tokens.append(token)
    tokens += fold_text(run) if fold else run
    return tokens


def _token(name: str, at: int, original: str, syntax: Syntax, fold: bool) -> tuple[Token, int]:
    """The token at index `at` and the index after it."""
    char = name[at]
    if char == "*":
        return Wild.STAR, at + 1
    if char == "?":
        return Wild.ANY, at + 1
    if syntax is Syntax.SCOPE:
        if char == "\\":
            return _escaped(name, at, original), at + 2
        if char == "[":
            return _class(name, at, original, fold)
    return char, at + 1


def _escaped(name: str, at: int, original: str) -> str:
    """The character after the `\\` at index `at`. Ordinary ones are refused: that is a Windows path."""
    char = name[at + 1 : at + 2]
    if char not in _ESCAPABLE:  # neither is '', for a \\ at the end
        raise PatternError("bad_escape", "\\ goes before a special character only; separate with /", original)
    return char


def _class(name: str, at: int, original: str, fold: bool) -> tuple[CharSet, int]:
    """The class that opens at index `at`, and the index after it. `-` first or last is itself."""
    end = class_end(name, at)
    if end == at + 1:
        raise PatternError("bad_class", "close the class with ] before any /, or write \\[", original)
    at += 1
    negated = name[at] in "!^"
    at += negated
    members: list[tuple[str, bool]] = []  # the character, and whether it is a `-` that makes a range
    while at < end - 1:
        escaped = name[at] == "\\"
        char = _escaped(name, at, original) if escaped else name[at]
        members.append((char, char == "-" and not escaped))
        at += 1 + escaped
    if not members:
        raise PatternError("bad_class", "name at least one character in the class", original)
    return charset(_ranges(members, original), negated=negated, fold=fold), end


def _ranges(members: list[tuple[str, bool]], original: str) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    at = 0
    while at < len(members):
        low = high = ord(members[at][0])
        if at + 2 < len(members) and members[at + 1][1]:
            high = ord(members[at + 2][0])
            if high < low:
                raise PatternError("bad_class", "write the range from low to high", original)
            at += 2
        ranges.append((low, high))
        at += 1
    return ranges
