"""What a shell command writes, read off its text. Nothing is run, and no file is looked at.

The reading errs on one side: a path that is named is one the command writes when it gets that far, a path that cannot
be told makes the command opaque. Both branches of a condition count, and the body of a loop counts for each word of
its list. Programs nobody described here write nothing: what they wrote is found after the fact.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .calls import Call, program
from .grammar import Parser
from .powershell import statements
from .programs import PROGRAMS
from .scope import UNKNOWN, Findings, Scope, expand, single
from .tree import Assignment, Block, Body, Form, Item, Kind, Redirect, Simple, Unreadable, Word
from .types import Reading

# Loops in loops and scripts in scripts are read so far.
_MAX_STEPS = 4000
_MAX_SCRIPTS = 8
_MAX_NESTED = 24
# What the reader marks words with, and halves of characters: no shell is given those.
_NO_TEXT = re.compile("[\0-\4\ud800-\udfff]")
_WRITES = frozenset({">", ">>", ">|", "&>", "&>>", "<>"})


def read_command(command: str, cwd: str, start: str = "") -> Reading:
    """What `command` (POSIX sh or bash) writes when run in `cwd`. Never raises: what is not understood is opaque.

    Args:
        command: the text as the shell gets it.
        cwd: where the call is made, absolute; empty when not known, and then `$PWD` is not either.
        start: the folder the command is run in, absolute or relative to `cwd`; empty is `cwd`.

    Paths of the result are absolute or relative to `cwd`.
    """
    found = Findings()
    _Reader().script(command, _scope(cwd, start, found))
    return found.reading()


def read_argv(argv: Sequence[str], cwd: str, start: str = "") -> Reading:
    """The same for a command that comes as a list of words, without a shell."""
    if not argv or any(map(_NO_TEXT.search, argv)):
        return Reading(opaque=True)
    found = Findings()
    reader = _Reader()
    try:
        reader.run(Call(reader, _scope(cwd, start, found), program(argv[0]), list(argv[1:])))
    except Unreadable:
        found.opaque = True
    return found.reading()


def read_powershell(command: str, cwd: str, start: str = "") -> Reading:
    """The same for the text of a PowerShell command. Its paths come with `/` between their names."""
    if _NO_TEXT.search(command):
        return Reading(opaque=True)
    found = Findings()
    reader = _Reader()
    try:
        statements(command, _scope(cwd, start, found), reader)
    except Unreadable:
        found.opaque = True
    return found.reading()


def _scope(cwd: str, start: str, found: Findings) -> Scope:
    scope = Scope(cwd, found)
    if start:
        scope.enter(start)
    return scope


class _Reader:
    """Walks a tree with a scope."""

    def __init__(self) -> None:
        self._steps = 0
        self._depth = 0
        self._nested = 0

    def script(self, text: str, scope: Scope) -> None:
        """Reads the text of a script."""
        self._depth, nested = self._depth + 1, self._nested
        try:
            if _NO_TEXT.search(text) or self._depth > _MAX_SCRIPTS:
                raise Unreadable("not text a shell would run")
            self._body(Parser(text).whole(), scope)
        except Unreadable:
            scope.found.opaque = True
        finally:
            self._depth, self._nested = self._depth - 1, nested

    def run(self, call: Call) -> None:
        """Reads a call of any program."""
        self._step()
        if self._nested > _MAX_NESTED:
            raise Unreadable("nested too deep")
        self._nested += 1
        # A program whose name is not known is none of those described here, like any other.
        if reads := PROGRAMS.get(call.name):
            reads(call)
        self._nested -= 1

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise Unreadable("too long")

    def _body(self, body: Body, scope: Scope) -> None:
        for item in body:
            self._item(item, scope)

    def _item(self, item: Item, scope: Scope) -> None:
        self._step()
        # What goes to the background leaves the folder as it was; so does, most often, what follows `||`.
        own = item.background or item.joint == "||" or len(item.pipeline) > 1
        coming: str | None = None
        for index, command in enumerate(item.pipeline):
            inner = scope.copy() if own else scope
            if isinstance(command, Simple):
                coming = self._simple(command, inner, coming, piped=index > 0)
            else:
                self._block(command, inner)
                coming = None
            if item.joint == "||" and len(item.pipeline) == 1 and inner.where != scope.where:
                scope.where = None

    def _block(self, block: Block, scope: Scope) -> None:
        self._redirects(block.redirects, scope)
        if block.form is Form.GROUP:
            self._body(block.bodies[0], scope)
        elif block.form in (Form.SUBSHELL, Form.FUNCTION):
            self._body(block.bodies[0], scope.copy())
        elif block.form is Form.BRANCHES:
            self._branches(block, scope)
        else:
            self._loop(block, scope)

    def _branches(self, block: Block, scope: Scope) -> None:
        """Each body starts where the first one, the condition, ended; where they end apart, nothing is known."""
        self._body(block.bodies[0], scope)
        ends = [scope.copy()]
        for body in block.bodies[1:]:
            ends.append(scope.copy())
            self._body(body, ends[-1])
        if any(end.where != scope.where for end in ends):
            scope.where = None
        scope.names = {
            name: value for name, value in scope.names.items() if all(end.names.get(name) == value for end in ends)
        }

    def _loop(self, block: Block, scope: Scope) -> None:
        self._codes(block.words or (), scope)
        words = [UNKNOWN] if block.words is None else [text for word in block.words for text in expand(word, scope)]
        before = scope.where
        for text in words:
            scope.names[block.name] = (text,)
            self._body(block.bodies[0], scope)
        if scope.where != before:
            scope.where = None

    def _simple(self, simple: Simple, scope: Scope, coming: str | None, *, piped: bool) -> str | None:
        """Reads one command; `coming` is the text that comes down the pipe, and the one that goes on is returned."""
        self._codes(simple.words, scope)
        for assignment in simple.assignments:
            self._codes(assignment.values, scope)
        given = self._redirects(simple.redirects, scope)
        stdin = coming if given is None else given
        argv = [text for word in simple.words for text in expand(word, scope)]
        if argv:
            self.run(Call(self, scope, program(argv[0]), argv[1:], stdin, piped))
            return _passed(argv, stdin)
        for assignment in simple.assignments:
            self._assign(assignment, scope)
        return None

    def _assign(self, assignment: Assignment, scope: Scope) -> None:
        values = [text for word in assignment.values for text in expand(word, scope)]
        if not assignment.array:
            values = [single(assignment.values[0], scope) if assignment.values[0] else ""]
        scope.names[assignment.name] = (UNKNOWN,) if assignment.partial else tuple(values)

    def _redirects(self, redirects: Sequence[Redirect], scope: Scope) -> str | None:
        """Writes the targets; returns the text that comes in from a here-document or here-string."""
        stdin = None
        for redirect in redirects:
            self._codes((redirect.target,), scope)
            if redirect.operator in ("<<", "<<-"):
                stdin = redirect.target[0].text
                continue
            target = single(redirect.target, scope)
            if redirect.operator == "<<<":
                stdin = target
            elif redirect.operator in _WRITES or (
                redirect.operator == ">&" and not target.rstrip("-").isdigit() and target != "-"
            ):
                scope.write(target)
        return stdin

    def _codes(self, words: Sequence[Word], scope: Scope) -> None:
        """Reads the commands inside of words: each runs in a shell of its own."""
        for word in words:
            for part in word:
                if part.kind is Kind.CODE:
                    self._body(part.code, scope.copy())


def _passed(argv: list[str], stdin: str | None) -> str | None:
    """The text that leaves a command, where it is plain to see."""
    if argv[0] in ("cat", "tee") and (len(argv) == 1 or argv[1:] == ["-"]):
        return stdin
    if argv[0] == "echo":
        return " ".join(word for word in argv[1:] if word not in ("-e", "-n"))
    return None
