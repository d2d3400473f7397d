"""A block of ours inside a text file of somebody else's, between two marker lines.

Text is handled with its own line ends; nothing outside the block is looked at, and only what must be is added: a line
end where the last line has none, an empty line before the block.
"""

from typing import NamedTuple


class Style(NamedTuple):
    """How the two marker lines are written in a kind of file."""

    begin: str
    end: str


MARKDOWN = Style("<!-- interlock:begin -->", "<!-- interlock:end -->")
HASH = Style("# interlock:begin", "# interlock:end")


class TangledError(ValueError):
    """The markers of a file do not pair up; the message is one sentence for a person."""


def newline_of(text: str) -> str:
    """The line end most lines of a text have; a text without one gets the plain one."""
    return "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"


def held(text: str, style: Style) -> str | None:
    """What stands between the markers, None without a block. Raises TangledError."""
    found = _find(text, style)
    if found is None:
        return None
    lines, first, last = found
    return "".join(lines[first + 1 : last]).replace("\r\n", "\n")


def put(text: str, style: Style, body: str, *, first: bool = False) -> str:
    """The text with this block: changed where it stands, else added at the end. Raises TangledError.

    ``first`` adds a new block at the beginning instead, behind a ``#!`` line.
    """
    newline = newline_of(text)
    block = f"{style.begin}\n{body.rstrip()}\n{style.end}\n".replace("\n", newline)
    found = _find(text, style)
    if found is not None:
        lines, begin, end = found
        if not lines[end].endswith("\n"):
            block = block.removesuffix(newline)
        return "".join(lines[:begin]) + block + "".join(lines[end + 1 :])
    if first:
        head, _, rest = text.partition("\n") if text.startswith("#!") else ("", "", text)
        return (f"{head}\n" if head else "") + block + rest
    if not text.removeprefix("\ufeff"):
        return text + block
    ended = text if text.endswith("\n") else text + newline
    blank = "" if ended.endswith(("\n\n", "\n\r\n")) else newline
    return ended + blank + block


def take(text: str, style: Style) -> str:
    """The text without its block and without the empty line before it. Raises TangledError."""
    found = _find(text, style)
    if found is None:
        return text
    lines, begin, end = found
    before = lines[:begin]
    if before and not before[-1].strip():
        before.pop()
    return "".join(before) + "".join(lines[end + 1 :])


def _find(text: str, style: Style) -> tuple[list[str], int, int] | None:
    lines = text.removeprefix("\ufeff").splitlines(keepends=True) if "\n" in text else [text.removeprefix("\ufeff")]
    if text.startswith("\ufeff"):
        lines[0] = "\ufeff" + lines[0]
    begins = [number for number, line in enumerate(lines) if _is(line, style.begin)]
    ends = [number for number, line in enumerate(lines) if _is(line, style.end)]
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
        raise TangledError(
            f"it has `{style.begin}` {len(begins)} times and `{style.end}` {len(ends)} times, which is not one block"
        )
    return lines, begins[0], ends[0]


def _is(line: str, marker: str) -> bool:
    return line.strip().removeprefix("\ufeff") == marker
