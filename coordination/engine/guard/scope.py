"""What is known while a command is read: the folder, the variables, and what was found so far.

What a word stands for is kept as text in which `UNKNOWN` holds the place of whatever the text does not tell: a
variable nobody set here, a pattern, the output of a program. The home folder is `~`, as in what was written.
"""

from __future__ import annotations

import itertools
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from .tree import Body, Kind, Part, Simple, Word
from .types import DELETE, MAX_PATH, WRITE, Danger, Reading, Touch

UNKNOWN = "\0"
# A command that names more is read no further, but for being opaque.
MAX_TOUCHES = 256
_MAX_WORDS = 64
_OPEN, _COMMA, _CLOSE, _CLASS = "\1", "\2", "\3", "\4"
_MARKS = str.maketrans({"{": _OPEN, ",": _COMMA, "}": _CLOSE, "[": _CLASS, "*": UNKNOWN, "?": UNKNOWN})
_UNMARKS = str.maketrans({_OPEN: "{", _COMMA: ",", _CLOSE: "}"})
_RANGE = re.compile(r"(-?\d{1,4})\.\.(-?\d{1,4})")
_NO_FILES = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/stdin", "-", ""})
# Where programs put what nobody keeps: what is written there under a name that cannot be told is no ground of ours.
_ELSEWHERE = ("/tmp/", "/var/tmp/", "/var/folders/", "/dev/", "/proc/")  # noqa: S108 - compared with, never used
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def known(text: str) -> bool:
    """Whether all of a word is told."""
    return UNKNOWN not in text


def rooted(path: str) -> bool:
    """Whether a path is the same from every folder: absolute, or in the home folder."""
    return path.startswith(("/", "~")) or bool(_DRIVE.match(path))


def join(where: str, path: str) -> str:
    """`path` seen from the folder the call is made in, when it is written in the folder `where`."""
    if not where or rooted(path):
        return path
    joined = posixpath.normpath(posixpath.join(where, path))
    if where.startswith("~") and not joined.startswith("~"):
        return UNKNOWN  # above the home folder, which has no name here
    return joined + "/" if path.endswith("/") and joined != "/" else joined


@dataclass(slots=True)
class Findings:
    """What was found so far, in reading order and without repeats."""

    touches: dict[Touch, None] = field(default_factory=dict)
    dangers: dict[Danger, None] = field(default_factory=dict)
    opaque: bool = False

    def reading(self) -> Reading:
        """As a result."""
        return Reading(tuple(self.touches), tuple(self.dangers), self.opaque)


@dataclass(slots=True)
class Scope:
    """The state of the shell at some place of a command.

    Attributes:
        cwd: the folder the call is made in; empty when not told.
        where: the folder the shell is in, relative to `cwd` or absolute; empty is `cwd`, None is not known.
        names: the variables set so far. Others are not known.
        left: the folders `popd` goes back to.
    """

    cwd: str
    found: Findings
    where: str | None = ""
    names: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"TMPDIR": ("/tmp",), "HOME": ("~",)})  # noqa: S108
    left: tuple[str | None, ...] = ()

    def copy(self) -> Scope:
        """For what runs in a shell of its own: it changes neither folder nor variables of this one."""
        return Scope(self.cwd, self.found, self.where, dict(self.names), self.left)

    def touch(self, path: str, action: str) -> None:
        """A file that is written or goes away; one that cannot be told makes the command opaque."""
        if path in _NO_FILES or path.startswith("/dev/fd/"):
            return
        placed = UNKNOWN if self.where is None and not rooted(path) else join(self.where or "", path)
        if known(placed) and len(placed) <= MAX_PATH and len(self.found.touches) < MAX_TOUCHES:
            self.found.touches[Touch(placed, action)] = None
        elif known(placed) or not self._elsewhere(path):
            self.found.opaque = True

    def write(self, path: str) -> None:
        """A file that is written."""
        self.touch(path, WRITE)

    def delete(self, path: str) -> None:
        """A file or folder that goes away."""
        self.touch(path, DELETE)

    def danger(self, verb: str, what: str, paths: Iterable[str] = ()) -> None:
        """A git command that throws away or moves what others stand on; no paths is the whole checkout."""
        limits = [join(self.where or "", path) for path in paths]
        if not all(map(known, limits)) or self.where is None or set("".join(limits)) & set("*?"):
            # Limits that cannot be told are none, and patterns of git's own are such.
            self.found.opaque, limits = True, []
        if any(path.startswith(":") for path in limits):
            limits = []
        self.found.dangers[Danger(verb, tuple(limits), what, self.where or "")] = None

    def enter(self, folder: str) -> None:
        """`cd folder`."""
        if not known(folder) or (self.where is None and not rooted(folder)):
            self.where = None
            return
        moved = posixpath.normpath(join(self.where or "", folder))
        self.where = None if not known(moved) else "" if moved == "." else moved

    def folder(self) -> str:
        """The folder the shell is in as text, or `UNKNOWN`."""
        if self.where is None or not (self.cwd or rooted(self.where)):
            return UNKNOWN
        return join(self.cwd, self.where or ".")

    def _elsewhere(self, path: str) -> bool:
        return ".." not in path and path.startswith(_ELSEWHERE) and not f"{self.cwd}/".startswith(_ELSEWHERE)


def expand(word: Word, scope: Scope) -> list[str]:
    """The words that `word` becomes."""
    parts = [part for part in word if part.kind is not Kind.QUOTED or part.text]
    if len(parts) == 1 and parts[0].kind is Kind.LIST:
        return list(scope.names.get(parts[0].text, (UNKNOWN,)))
    if len(parts) == 1 and parts[0].kind is Kind.NAME and not parts[0].quoted:
        value = _value(parts[0], scope)
        return [mark.translate(_UNMARKS) for mark in value.translate(_MARKS).split()]
    text = "".join(_marked(part, scope) for part in parts)
    if text.startswith("~") and parts[0].kind is not Kind.NAME:
        # Somebody else's home folder is not known, and in quotes the sign is a name like any other.
        plain = parts[0].kind is Kind.PLAIN
        text = text if plain and text[1:2] in ("", "/") else UNKNOWN if plain else f"./{text}"
    return [_unmarked(one) for one in _braces(text)]


def single(word: Word, scope: Scope) -> str:
    """What `word` becomes where the shell makes one word of it: an assignment, a redirection's target."""
    words = expand(word, scope)
    return words[0] if len(words) == 1 else UNKNOWN


def _marked(part: Part, scope: Scope) -> str:
    if part.kind is Kind.PLAIN:
        return part.text.translate(_MARKS)
    if part.kind is Kind.QUOTED:
        return part.text
    value = _value(part, scope)
    # Outside of quotes the shell would split it, and take it for a pattern.
    split = not part.quoted and (any(map(str.isspace, value)) or set("*?[") & set(value))
    return UNKNOWN if split else value


def _value(part: Part, scope: Scope) -> str:
    if part.kind is Kind.NAME:
        if part.text == "PWD":
            return scope.folder()
        values = scope.names.get(part.text, (UNKNOWN,))
        return values[0] if values else ""
    return part.text or _output(part.code, scope) if part.kind is Kind.CODE else UNKNOWN


def _unmarked(text: str) -> str:
    opened = text.find(_CLASS)
    if opened >= 0:
        text = text.replace(_CLASS, UNKNOWN if "]" in text[opened:] else "[")
    return text.translate(_UNMARKS)


def _braces(text: str) -> list[str]:
    """`{a,b}` and `{1..3}` written out; too many are one that is not known."""
    if _OPEN in text and (text.count(_OPEN) > _MAX_WORDS or len(text) > MAX_PATH):
        return [UNKNOWN]
    done: list[str] = []
    waiting = [text]
    while waiting:
        if len(done) + len(waiting) > _MAX_WORDS:
            return [UNKNOWN]
        one = waiting.pop()
        choice = _choice(one)
        if choice is None:
            done.append(one)
        else:
            start, options, end = choice
            waiting += [one[:start] + option + one[end:] for option in reversed(options)]
    return done


def _choice(text: str) -> tuple[int, list[str], int] | None:
    """The first braces that stand for several: where they start, what for, and where they end."""
    for start, char in enumerate(text):
        if char != _OPEN:
            continue
        depth, cuts = 0, [start]
        for at in range(start, len(text)):
            depth += (text[at] == _OPEN) - (text[at] == _CLOSE)
            if text[at] == _COMMA and depth == 1:
                cuts.append(at)
            if depth == 0:
                cuts.append(at)
                break
        if depth == 0 and len(cuts) > 2:
            options = [text[one + 1 : two] for one, two in itertools.pairwise(cuts)]
            return start, options, cuts[-1] + 1
        if depth == 0 and (numbers := _RANGE.fullmatch(text[start + 1 : cuts[-1]])):
            first, last = int(numbers[1]), int(numbers[2])
            step = 1 if first <= last else -1
            several = [str(number) for number in range(first, last + step, step)]
            return start, several if len(several) <= _MAX_WORDS else [UNKNOWN], cuts[-1] + 1
    return None


def _output(code: Body, scope: Scope) -> str:
    """What a few commands print whose output follows from their words."""
    if len(code) != 1 or len(code[0].pipeline) != 1 or not isinstance(code[0].pipeline[0], Simple):
        return UNKNOWN
    simple = code[0].pipeline[0]
    argv = [text for word in simple.words for text in expand(word, scope)]
    name, words = argv[0] if argv else "", [word for word in argv[1:] if not word.startswith("-")]
    if simple.redirects and name != "mktemp":
        return UNKNOWN
    return _PRINTS[name](words, scope) if name in _PRINTS else UNKNOWN


def _pwd(words: list[str], scope: Scope) -> str:
    return scope.folder()


def _mktemp(words: list[str], scope: Scope) -> str:
    return UNKNOWN if words else f"/tmp/{UNKNOWN}"  # noqa: S108


def _echo(words: list[str], scope: Scope) -> str:
    return " ".join(words)


def _realpath(words: list[str], scope: Scope) -> str:
    return words[0] if len(words) == 1 else UNKNOWN


def _dirname(words: list[str], scope: Scope) -> str:
    return posixpath.dirname(words[0].rstrip("/")) or "." if len(words) == 1 and known(words[0]) else UNKNOWN


def _basename(words: list[str], scope: Scope) -> str:
    if len(words) not in (1, 2) or not all(map(known, words)):
        return UNKNOWN
    return posixpath.basename(words[0].rstrip("/")).removesuffix("".join(words[1:]))


_PRINTS = {
    "pwd": _pwd,
    "mktemp": _mktemp,
    "echo": _echo,
    "realpath": _realpath,
    "readlink": _realpath,
    "dirname": _dirname,
    "basename": _basename,
}
