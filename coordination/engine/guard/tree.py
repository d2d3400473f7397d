"""A shell command as a tree.

Words keep what was quoted and what the shell would put in, unexpanded.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Unreadable(Exception):
    """The text is no shell command this reader understands. Raised inside the package, never out of it."""


class Kind(enum.Enum):
    """What a part of a word is."""

    PLAIN = enum.auto()  # text the shell may still take for a pattern
    QUOTED = enum.auto()  # text that is what it says
    NAME = enum.auto()  # a variable
    LIST = enum.auto()  # all elements of an array
    CODE = enum.auto()  # the output of commands
    UNKNOWN = enum.auto()  # anything else the shell works out


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a word: text, a variable's name, or commands; `quoted` when in double quotes.

    CODE has a text, too, where it is sure what comes of the commands.
    """

    kind: Kind
    text: str = ""
    quoted: bool = False
    code: Body = ()


Word = tuple[Part, ...]


@dataclass(slots=True)
class Redirect:
    """One redirection. `target` is the word behind the operator, or for a here-document its text as one word.

    Not frozen: the text of a here-document is known only when the line it is announced on has been read.
    """

    operator: str
    target: Word


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name=value`; an `array` has any number of values, a `partial` one (`+=`, `a[1]=`) adds to what was there."""

    name: str
    values: tuple[Word, ...]
    array: bool = False
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Simple:
    """A command of words."""

    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...] = ()
    assignments: tuple[Assignment, ...] = ()


class Form(enum.Enum):
    """What holds bodies of commands."""

    SUBSHELL = enum.auto()
    GROUP = enum.auto()
    FOR = enum.auto()
    BRANCHES = enum.auto()  # if, while, until, case: any of the bodies may run
    FUNCTION = enum.auto()


@dataclass(frozen=True, slots=True)
class Block:
    """A compound command. `name` and `words` are a loop's variable and list (None: the list is not in the text)."""

    form: Form
    bodies: tuple[Body, ...]
    name: str = ""
    words: tuple[Word, ...] | None = ()
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """A pipeline in a body. `joint` is what stands before it (`;`, `&&`, `||`)."""

    pipeline: tuple[Simple | Block, ...]
    joint: str = ";"
    background: bool = False


Body = tuple[Item, ...]
