"""What the command says, and how it ends: short lines for an agent's context, JSON for programs."""

import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

EXIT_YES, EXIT_NO, EXIT_USE, EXIT_AWAY = 0, 1, 2, 3
EXIT_INTERRUPTED = 130  # as shells report SIGINT

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}


class UserError(Exception):
    """Something that whoever typed the command can mend.

    Its text says what is wrong and the way out; `code` is the exit code: 2 wrong use, 3 cannot reach or not allowed.
    """

    def __init__(self, text: str, code: int = EXIT_USE) -> None:
        super().__init__(text)
        self.code = code


def say(line: str = "") -> None:
    """One line of the answer."""
    print(clean(line), file=sys.stdout)


def warn(line: str) -> None:
    """One line beside the answer: for whoever watches, never for a program that reads it."""
    print(clean(line), file=sys.stderr)


def as_json(value: Any) -> None:
    """The answer for programs: one JSON document."""
    import json

    print(json.dumps(value, indent=2, ensure_ascii=False), file=sys.stdout)


def table(rows: Iterable[Sequence[str]]) -> None:
    """Rows in columns that line up; the last one is as long as it is."""
    cells = [[clean(cell) for cell in row] for row in rows]
    if not cells:
        return
    widths = [max(len(row[at]) for row in cells if at < len(row)) for at in range(max(map(len, cells)))]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip())


def progress(line: str) -> None:
    """How a wait goes, rewritten in place; only where a person watches the error stream."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{clean(line)}", end="", file=sys.stderr, flush=True)


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """`text` in a colour (red, green, yellow, dim, bold), on a terminal that wants colours, else as it is.

    The colours are put on last: `say` takes control characters out, so print painted text with `print`.
    """
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if colourful(stream or sys.stdout) else text


def colourful(stream: TextIO) -> bool:
    """Whether colours are wanted there: on a terminal, and never with NO_COLOR (no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or sys.platform == "win32":
        return False
    return stream.isatty()


def clean(text: str) -> str:
    """`text` without what would steer a terminal: others wrote parts of it."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c == "\t" or unicodedata.category(c) not in ("Cc", "Cf", "Zl", "Zp") else "\ufffd" for c in text
    )


def quoted(text: str, margin: str = "  | ") -> list[str]:
    """What somebody else wrote, in lines that show where it begins and ends."""
    return [f"{margin}{clean(line)}" for line in text.splitlines() or [""]]
