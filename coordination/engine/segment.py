"""One segment of a pattern (what stands between two `/`), and whether two segments have a name in common.

A segment is a row of tokens. Both questions, "does this name match" and "do these two meet", run as a
bit-parallel
automaton: bit `j` of an integer says "the first `j` tokens are matched". That keeps hostile segments such as
`*a*a*a*a*...` polynomial: one step is a handful of integer operations whatever the number of stars.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence

from .charset import CharSet


class Wild(enum.Enum):
    """`?` (exactly one character) and `*` (any number of characters); neither crosses a `/`."""

    ANY = "?"
    STAR = "*"


Token = str | CharSet | Wild


class Segment:
    """A segment, compiled.

    Attributes:
        literal: the name, when no wildcard is in it; else None.
        tokens: the row of tokens, not empty. Literal characters are single-character strings. The caller
            makes adjacent stars one: a star skips to the next token only.
    """

    __slots__ = ("_any", "_chars", "_classes", "_star", "literal", "tokens")

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tuple(tokens)
        chars: dict[str, int] = {}
        classes: list[tuple[CharSet, int]] = []
        any_mask = star_mask = 0
        for at, token in enumerate(self.tokens):
            if isinstance(token, str):
                chars[token] = chars.get(token, 0) | 1 << at
            elif isinstance(token, CharSet):
                classes.append((token, 1 << at))
            elif token is Wild.ANY:
                any_mask |= 1 << at
            else:
                star_mask |= 1 << at
        self._any, self._star, self._classes = any_mask, star_mask, classes
        for char in chars:
            chars[char] |= self._loose(char)
        self._chars = chars
        plain = not (any_mask or star_mask or classes)
        self.literal: str | None = "".join(str(token) for token in self.tokens) if plain else None

    def sample(self, fresh: str) -> str:
        """A name the segment matches, with `fresh` (one character) wherever the segment leaves a choice."""
        return "".join(
            token
            if isinstance(token, str)
            else chr(token.ranges[0][0])
            if isinstance(token, CharSet) and fresh not in token
            else fresh
            for token in self.tokens
        )

    @property
    def only_stars(self) -> bool:
        """Whether the segment is `*`: any name, but never the empty one."""
        return self._star == 1 and len(self.tokens) == 1

    def accepts(self, name: str) -> bool:
        """Whether the segment matches `name` (one path segment, not empty)."""
        if self.literal is not None:
            return self.literal == name
        star, chars = self._star, self._chars
        row = 1 | (star & 1) << 1
        for char in name:
            mask = chars.get(char)
            row = (row & (self._loose(char) if mask is None else mask)) << 1 | row & star
            row |= (row & star) << 1
            if not row:
                return False
        return bool(row >> len(self.tokens) & 1)

    def meets(self, other: Segment) -> bool:
        """Whether some name matches both segments. Exact; a few integer operations for each of my tokens."""
        if self.literal is not None:
            return other.accepts(self.literal)
        if other.literal is not None:
            return self.accepts(other.literal)
        # row: which tokens of `other` can be reached once the first i of mine are.
        star, full = other._star, (1 << len(other.tokens) + 1) - 1
        row = 1 | (star & 1) << 1
        for token in self.tokens:
            if token is Wild.STAR:
                # My star takes whatever `other` goes on with: everything from its first reached token.
                row = full & -(row & -row)
            else:
                row = (row & other._accepting(token)) << 1 | row & star
                row |= (row & star) << 1
            if not row:
                return False
        return bool(row >> len(other.tokens) & 1)

    def regex(self) -> str:
        """The segment as a regular expression that must be followed by `/` or the end.

        Every star but the last takes the leftmost match atomically: leftmost is never worse when a star
            follows,
        and without backtracking a hostile pattern cannot blow up.
        """
        if self.only_stars:
            return "[^/]+"
        runs: list[str] = [""]
        for token in self.tokens:
            if token is Wild.STAR:
                runs.append("")
            else:
                runs[-1] += _token_regex(token)
        if len(runs) == 1:
            return runs[0]
        middle = "".join(f"(?>[^/]*?{run})" for run in runs[1:-1])
        return f"{runs[0]}{middle}[^/]*{runs[-1]}"

    def _loose(self, char: str) -> int:
        """Mask of the tokens that accept `char` without naming it."""
        mask = self._any
        for members, bit in self._classes:
            if char in members:
                mask |= bit
        return mask

    def _accepting(self, token: Token) -> int:
        """Mask of my one-character tokens that share a character with `token`."""
        if isinstance(token, str):
            mask = self._chars.get(token)
            return self._loose(token) if mask is None else mask
        if isinstance(token, CharSet):
            mask = self._any
            for members, bit in self._classes:
                if members.meets(token):
                    mask |= bit
            for char, bits in self._chars.items():
                if char in token:
                    mask |= bits
            return mask
        return (1 << len(self.tokens)) - 1 & ~self._star


def _token_regex(token: Token) -> str:
    if isinstance(token, str):
        return re.escape(token)
    if isinstance(token, CharSet):
        return "[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in token.ranges) + "]"
    return "[^/]"
