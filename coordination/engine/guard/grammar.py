"""Reads a whole shell command into a tree: pipelines, lists, blocks, redirections, here-documents.

Rests on POSIX.1-2024, Shell Command Language, 2.10, and the Bash manual for `[[`, `((`, `function` and `&>`.
"""

from __future__ import annotations

import re

from .tree import Assignment, Block, Body, Form, Item, Kind, Part, Redirect, Simple, Unreadable, Word
from .words import BLANKS, MAX_DEPTH, Words

_REDIRECT = re.compile(r"(?:\d+|\{[A-Za-z_]\w*\})?(&>>|&>|<<<|<<-|<<|<>|<&|>>|>&|>\||<(?!\()|>(?!\())")
_ASSIGN = re.compile(r"([A-Za-z_]\w*)(\[[^\]]*\])?(\+?)=")
_FUNCTION = re.compile(r"[^\s(){};&|<>'\"$`=]+[ \t]*\([ \t]*\)")
_NAMED = re.compile(r"[^\s(){};&|<>]+[ \t]*(\([ \t]*\))?")
_TIME = re.compile(r"time([ \t]+-p)?(?=\s)")
_KEYWORD_END = re.compile(r"[\s;&|()<>]|$")
_CLOSERS = frozenset({"then", "do", "done", "fi", "else", "elif", "esac", "}"})


class Parser(Words):
    """Reads bodies of commands out of one text. Here-documents are filled in when their line ends."""

    def __init__(self, text: str, depth: int = 0) -> None:
        super().__init__(text, depth)
        # Each with the line that ends it, and whether it is taken as it stands.
        self._documents: list[tuple[Redirect, str, bool]] = []

    def whole(self) -> Body:
        """All of the text."""
        body = self._body(frozenset())
        if self.at < len(self.text):
            raise Unreadable(f"{self.peek()!r} stands where a command should")
        self._line_end()
        return body

    def body_of(self, text: str) -> Body:
        """The commands of another text, one level deeper."""
        return Parser(text, self.depth + 1).whole()

    def body_until(self, end: str) -> Body:
        """Commands up to the character `end`."""
        self._deeper(1)
        # Here-documents of the line outside begin behind its end, not behind a line inside.
        outer, self._documents = self._documents, []
        body = self._body(frozenset())
        self._skip()
        if self.peek() != end:
            raise Unreadable(f"no {end}")
        if self._documents:
            raise Unreadable("a here-document without its text")
        self._documents = outer
        self.at += 1
        self._deeper(-1)
        return body

    def _deeper(self, by: int) -> None:
        self.depth += by
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deep")

    def _skip(self, *, lines: bool = True) -> None:
        """Past blanks, comments, joined lines and, with `lines`, ends of lines."""
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in BLANKS:
                self.at += 1
            elif self.peek(2) == "\\\n":
                self.at += 2
            elif char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif char == "\n" and lines:
                self.at += 1
                self._line_end()
            else:
                return

    def _line_end(self) -> None:
        """Takes the here-documents that were announced on the line that has ended."""
        pending, self._documents = self._documents, []
        for redirect, end, literal in pending:
            lines = []
            while self.at < len(self.text):
                stop = self.text.find("\n", self.at)
                line = self.text[self.at : stop if stop >= 0 else len(self.text)]
                self.at = stop + 1 if stop >= 0 else len(self.text)
                line = line.lstrip("\t") if redirect.operator == "<<-" else line
                if line.rstrip("\r") == end:
                    break
                lines.append(f"{line}\n")
            text = "".join(lines)
            redirect.target = (Part(Kind.QUOTED, text), *(() if literal else self._put_in(text)))

    def _put_in(self, text: str) -> Word:
        """What the shell would put into a here-document; nothing when it has neither variables nor commands."""
        if not {"$", "`"} & set(text):
            return ()
        try:
            word = Parser('"' + text.replace('"', '\\"') + '"', self.depth + 1).word()
        except Unreadable:
            return (Part(Kind.UNKNOWN),)
        return tuple(part for part in word if part.kind is not Kind.QUOTED)

    def _keyword(self, *words: str) -> str:
        """The one of `words` that stands here as a word of its own; empty for none."""
        for word in words:
            if self.text.startswith(word, self.at) and _KEYWORD_END.match(self.text, self.at + len(word)):
                return word
        return ""

    def _expect(self, word: str) -> None:
        self._skip()
        if not self._keyword(word):
            raise Unreadable(f"no {word}")
        self.at += len(word)

    def _body(self, ends: frozenset[str]) -> Body:
        """Commands up to one of the words `ends`, a closing parenthesis, `;;` or the end of the text."""
        items: list[Item] = []
        joint = ";"
        while True:
            self._skip()
            if self._ended() or self._keyword(*ends):
                return tuple(items)
            item = Item(self._pipeline(), joint)
            self._skip(lines=False)
            joint = self._joint()
            if joint == "&":
                item, joint = Item(item.pipeline, item.joint, background=True), ";"
            items.append(item)

    def _ended(self) -> bool:
        """Whether the text, a parenthesis or a branch of a case ends here."""
        return self.peek() in ("", ")") or self.peek(2) in (";;", ";&")

    def _joint(self) -> str:
        for joint in ("&&", "||", "&", "\n"):
            if self.text.startswith(joint, self.at):
                if joint != "\n":
                    self.at += len(joint)
                return ";" if joint == "\n" else joint
        if self._ended():
            return ";"
        if self.peek() == ";":
            self.at += 1
            return ";"
        raise Unreadable(f"{self.peek()!r} behind a command")

    def _pipeline(self) -> tuple[Simple | Block, ...]:
        commands = []
        while True:
            self._skip()
            while self._keyword("!") or _TIME.match(self.text, self.at):
                timed = _TIME.match(self.text, self.at)
                self.at = timed.end() if timed else self.at + 1
                self._skip()
            commands.append(self._command())
            self._skip(lines=False)
            if self.peek() != "|" or self.peek(2) == "||":
                return tuple(commands)
            self.at += 2 if self.peek(2) == "|&" else 1

    def _command(self) -> Simple | Block:
        if self._keyword(*_CLOSERS):
            raise Unreadable("a word out of its place")
        if self.peek(2) == "((" and (end := self._arithmetic_end(self.at + 2)) is not None:
            self.at = end
            return Simple(())
        if self.peek() == "(":
            self.at += 1
            return self._redirected(Form.SUBSHELL, (self.body_until(")"),))
        if keyword := self._keyword("if", "while", "until", "for", "select", "case", "function", "{", "[["):
            self.at += len(keyword)
            self._deeper(1)
            block = self._block(keyword)
            self._deeper(-1)
            return block
        if named := _FUNCTION.match(self.text, self.at):
            self.at = named.end()
            return self._function()
        return self._simple()

    def _block(self, keyword: str) -> Simple | Block:
        if keyword in ("for", "select"):
            return self._for()
        if keyword == "function":
            self._skip(lines=False)
            if not (named := _NAMED.match(self.text, self.at)):
                raise Unreadable("a function without a name")
            self.at = named.end()
            return self._function()
        if keyword == "[[":
            return self._test()
        if keyword == "{":
            return self._redirected(Form.GROUP, (self._section("}"),))
        if keyword == "if":
            bodies = self._if()
        elif keyword == "case":
            bodies = self._case()
        else:
            bodies = (self._section("do"), self._section("done"))
        return self._redirected(Form.BRANCHES, bodies)

    def _section(self, end: str) -> Body:
        body = self._body(frozenset({end}))
        self._expect(end)
        return body

    def _if(self) -> tuple[Body, ...]:
        bodies = [self._section("then")]
        while True:
            bodies.append(self._body(frozenset({"elif", "else", "fi"})))
            word = self._keyword("elif", "else", "fi")
            self._expect(word or "fi")
            if word == "fi":
                return tuple(bodies)
            bodies.append(self._section("then" if word == "elif" else "fi"))
            if word == "else":
                return tuple(bodies)

    def _for(self) -> Block:
        words: tuple[Word, ...] | None
        self._skip(lines=False)
        if self.peek(2) == "((":
            end = self._arithmetic_end(self.at + 2)
            if end is None:
                raise Unreadable("a (( without its end")
            self.at = end
            name, words = "", None
        else:
            name, words = "".join(part.text for part in self.word()), self._in_words()
        self._skip()
        if self.peek() == ";":
            self.at += 1
        self._expect("do")
        return self._redirected(Form.FOR, (self._section("done"),), name, words)

    def _in_words(self) -> tuple[Word, ...] | None:
        self._skip()
        if not self._keyword("in"):
            return None
        self.at += 2
        words: list[Word] = []
        while True:
            self._skip(lines=False)
            word = self.word()
            if not word:
                return tuple(words)
            words.append(word)

    def _case(self) -> tuple[Body, ...]:
        self._skip()
        subject = self.word()
        self._expect("in")
        bodies: list[Body] = [(Item((Simple((), (), (Assignment("", (subject,)),)),)),)]
        while True:
            self._skip()
            if self._keyword("esac"):
                self.at += 4
                return tuple(bodies)
            # Patterns are not looked into: any of the branches may run.
            if self.peek() == "(":
                self.at += 1
            while self.peek() != ")":
                self._skip()
                if not self.word() and self.peek() != "|" and self.peek() != ")":
                    raise Unreadable("a pattern of case without its )")
                self._skip()
                self.at += self.peek() == "|"
            self.at += 1
            bodies.append(self._body(frozenset({"esac"})))
            self._skip()
            for end in (";;&", ";;", ";&"):
                if self.text.startswith(end, self.at):
                    self.at += len(end)
                    break

    def _function(self) -> Block:
        self._skip()
        body = self._command()
        return Block(Form.FUNCTION, ((Item((body,)),),))

    def _test(self) -> Simple:
        """`[[ ... ]]`, in which `<` and `>` compare."""
        while not self._keyword("]]"):
            if not self.peek():
                raise Unreadable("a [[ without its end")
            if not self.word():
                self.at += 1
            self._skip()
        self.at += 2
        redirects = []
        self._skip(lines=False)
        while (redirect := self._redirect()) is not None:
            redirects.append(redirect)
            self._skip(lines=False)
        return Simple((), tuple(redirects))

    def _redirected(
        self, form: Form, bodies: tuple[Body, ...], name: str = "", words: tuple[Word, ...] | None = ()
    ) -> Block:
        redirects = []
        self._skip(lines=False)
        while (redirect := self._redirect()) is not None:
            redirects.append(redirect)
            self._skip(lines=False)
        return Block(form, bodies, name, words, tuple(redirects))

    def _redirect(self) -> Redirect | None:
        found = _REDIRECT.match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        self._skip(lines=False)
        target = self.word()
        if not target:
            raise Unreadable(f"nothing behind {found[1]}")
        redirect = Redirect(found[1], target)
        if found[1] in ("<<", "<<-"):
            literal = any(part.kind is Kind.QUOTED for part in target)
            self._documents.append((redirect, "".join(part.text for part in target), literal))
        return redirect

    def _simple(self) -> Simple:
        words: list[Word] = []
        redirects: list[Redirect] = []
        assignments: list[Assignment] = []
        while True:
            self._skip(lines=False)
            if (redirect := self._redirect()) is not None:
                redirects.append(redirect)
            elif not words and (assignment := self._assignment()) is not None:
                assignments.append(assignment)
            elif word := self.word():
                words.append(word)
                if self.peek() == "(":
                    words[-1] = self._array(word)
            else:
                break
        if not (words or redirects or assignments):
            raise Unreadable(f"{self.peek() or 'the end'!r} stands where a command should")
        return Simple(tuple(words), tuple(redirects), tuple(assignments))

    def _array(self, word: Word) -> Word:
        """An array given to `declare` and its like; anything else before a parenthesis is not understood."""
        if not (word[-1].kind is Kind.PLAIN and word[-1].text.endswith("=")):
            raise Unreadable("a ( in a word")
        self._elements()
        return (*word, Part(Kind.UNKNOWN))

    def _elements(self) -> tuple[Word, ...]:
        self.at += 1
        words = []
        while True:
            self._skip()
            if word := self.word():
                words.append(word)
            elif self.peek() == ")":
                self.at += 1
                return tuple(words)
            else:
                raise Unreadable("an array without its )")

    def _assignment(self) -> Assignment | None:
        found = _ASSIGN.match(self.text, self.at)
        if not found:
            return None
        self.at = found.end()
        array = self.peek() == "("
        values = self._elements() if array else (self.word(),)
        return Assignment(found[1], values, array, partial=bool(found[2] or found[3]))
