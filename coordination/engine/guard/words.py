"""Reads the words of a shell command: quotes, variables, substitutions.

Rests on POSIX.1-2024, Shell Command Language, and the Bash manual for `$'...'`, arrays and process substitution.
"""

from __future__ import annotations

import re

from .tree import Body, Kind, Part, Unreadable, Word

BLANKS = " \t\r"
_ENDS = frozenset(" \t\r\n;&|()<>")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ELEMENTS = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\[[@*]\]")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "e": "\x1b", "E": "\x1b"}
_NUMBERED = re.compile(r"x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})")
_RUN = re.compile(r'[^"\\$`]+')
# What a process substitution becomes: no file of anybody's.
_PIPE = "/dev/fd/63"
_UNKNOWN = Part(Kind.UNKNOWN)
# Deeper than anybody writes, and shallow enough for the interpreter's stack.
MAX_DEPTH = 24


class Words:
    """A place in a text, and words read from there.

    Attributes:
        text: the whole command.
        at: index of the next character.
        depth: how many substitutions and blocks are open.
    """

    def __init__(self, text: str, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise Unreadable("nested too deep")
        self.text, self.at, self.depth = text, 0, depth

    def body_until(self, end: str) -> Body:
        """Commands up to `end`, which is passed over."""
        raise NotImplementedError

    def body_of(self, text: str) -> Body:
        """The commands of another text."""
        raise NotImplementedError

    def peek(self, size: int = 1) -> str:
        """The next characters, fewer at the end."""
        return self.text[self.at : self.at + size]

    def word(self) -> Word:
        """The word that begins here; empty when none does."""
        parts: list[Part] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in "<>" and self.peek(2)[1:] == "(" and not parts:
                self.at += 2
                parts.append(Part(Kind.CODE, _PIPE, code=self.body_until(")")))
            elif char == "(" and parts and parts[-1].kind is Kind.PLAIN and parts[-1].text[-1] in "?*+@!":
                parts.append(self._extended())
            elif char in _ENDS:
                break
            else:
                parts += self._piece(char)
        return tuple(parts)

    def _piece(self, char: str) -> list[Part]:
        if char == "'":
            return [self._single()]
        if char == '"':
            self.at += 1
            return self._double()
        if char == "\\":
            self.at += 2
            escaped = self.text[self.at - 1 : self.at]
            return [] if escaped == "\n" else [Part(Kind.QUOTED, escaped or "\\")]
        if char == "$":
            return self._dollar(quoted=False)
        if char == "`":
            return [self._backtick(quoted=False)]
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in _ENDS and self.text[self.at] not in "'\"\\$`":
            self.at += 1
        return [Part(Kind.PLAIN, self.text[start : self.at])]

    def _single(self) -> Part:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            raise Unreadable("a ' without its end")
        part = Part(Kind.QUOTED, self.text[self.at + 1 : end])
        self.at = end + 1
        return part

    def _double(self) -> list[Part]:
        """The inside of double quotes, from behind the first one."""
        parts, plain = [Part(Kind.QUOTED)], ""
        while (char := self.peek()) != '"':
            if not char:
                raise Unreadable('a " without its end')
            if char == "\\":
                escaped = self.text[self.at + 1 : self.at + 2]
                plain += {"\n": ""}.get(escaped, escaped if escaped in '$`"\\' else "\\" + escaped)
                self.at += 2
            elif char in "$`":
                parts.append(Part(Kind.QUOTED, plain))
                plain = ""
                parts += self._dollar(quoted=True) if char == "$" else [self._backtick(quoted=True)]
            else:
                run = _RUN.match(self.text, self.at)
                assert run is not None  # the character is none of those the pattern stops at
                plain += run[0]
                self.at = run.end()
        self.at += 1
        return [*parts, Part(Kind.QUOTED, plain)]

    def _dollar(self, *, quoted: bool) -> list[Part]:
        self.at += 1
        following = self.peek()
        if following == '"' and not quoted:
            self.at += 1
            return self._double()
        if following == "'" and not quoted:
            return [self._ansi()]
        if following in ("(", "{"):
            return [self._parenthesis(quoted) if following == "(" else self._braced(quoted)]
        if name := _NAME.match(self.text, self.at):
            self.at = name.end()
            return [Part(Kind.NAME, name[0], quoted)]
        if following and following in "0123456789@*#?$!-":
            self.at += 1
            return [_UNKNOWN]
        return [Part(Kind.QUOTED, "$")]

    def _parenthesis(self, quoted: bool) -> Part:
        """`$(commands)` or `$((arithmetic))`, from the first parenthesis."""
        if self.peek(2) == "((" and (end := self._arithmetic_end(self.at + 2)) is not None:
            self.at = end
            return _UNKNOWN
        self.at += 1
        return Part(Kind.CODE, quoted=quoted, code=self.body_until(")"))

    def _arithmetic_end(self, start: int) -> int | None:
        """Index behind the `))` of an arithmetic expression; None when it is a subshell in a substitution."""
        depth = 0
        for at in range(start, len(self.text)):
            if self.text[at] == "(":
                depth += 1
            elif self.text[at] == ")":
                if depth == 0:
                    return at + 2 if self.text[at + 1 : at + 2] == ")" else None
                depth -= 1
        raise Unreadable("a $(( without its end")

    def _braced(self, quoted: bool) -> Part:
        start = self.at + 1
        depth, at = 1, start
        while depth:
            char = self.text[at : at + 1]
            if not char:
                raise Unreadable("a ${ without its end")
            depth += (char == "{") - (char == "}")
            at += 2 if char == "\\" else 1
        inside, self.at = self.text[start : at - 1], at
        if _NAME.fullmatch(inside):
            return Part(Kind.NAME, inside, quoted)
        if elements := _ELEMENTS.fullmatch(inside):
            return Part(Kind.LIST, elements[1], quoted)
        if "$(" in inside or "`" in inside:
            # Commands in a default value do run; the word is read again with them in sight.
            return Part(Kind.CODE, quoted=quoted, code=self.body_of(f': "{inside.replace(chr(34), "")}"'))
        return _UNKNOWN

    def _ansi(self) -> Part:
        self.at += 1
        made = ""
        while (char := self.peek()) != "'":
            if not char:
                raise Unreadable("a $' without its end")
            self.at += 1
            if char != "\\":
                made += char
            elif number := _NUMBERED.match(self.text, self.at):
                code = int(number[1] or number[2] or number[3] or number[4], 8 if number[4] else 16)
                made += chr(code) if code < 0x110000 else ""
                self.at = number.end()
            else:
                made += _ESCAPES.get(self.peek(), self.peek())
                self.at += 1
        self.at += 1
        return Part(Kind.QUOTED, made)

    def _backtick(self, *, quoted: bool) -> Part:
        at = self.at + 1
        inside = ""
        while (char := self.text[at : at + 1]) != "`":
            if not char:
                raise Unreadable("a ` without its end")
            if char == "\\" and self.text[at + 1 : at + 2] in ("`", "\\", "$"):
                at += 1
                char = self.text[at]
            inside += char
            at += 1
        self.at = at + 1
        return Part(Kind.CODE, quoted=quoted, code=self.body_of(inside))

    def _extended(self) -> Part:
        """A pattern such as `!(a|b)`: what it stands for depends on the files that are there."""
        end = self.text.find(")", self.at)
        if end < 0:
            raise Unreadable("a ( without its end")
        self.at = end + 1
        return _UNKNOWN
