"""`.interlock/local.env`: the one place of the token. Lines of others, and comments, keep their bytes.

``INTERLOCK_COMMAND`` is the interpreter the command is installed in; git hooks fall back to it when ``interlock`` is
not on the path, as in a shell without the environment it was installed into.
"""

import re
from collections.abc import Mapping

from mcp_gateway.agent.settings import NAMES
from mcp_gateway.agent.wiring.blocks import newline_of

COMMAND = "INTERLOCK_COMMAND"
OURS = (*NAMES, COMMAND)
HEAD = "# Written by `interlock init` for this machine alone. Not tracked: the token is a secret."
_LINE = re.compile(r"(\s*(?:export\s+)?)([A-Za-z_][A-Za-z0-9_]*)(\s*=\s*)(.*)", re.DOTALL)


def put(text: str, wanted: Mapping[str, str]) -> str:
    """The text with these values; a name that is there is changed where it stands last, as that one counts."""
    if not text.strip():
        text = HEAD + "\n"
    lines, newline = text.splitlines(keepends=True), newline_of(text)
    for name, value in wanted.items():
        places = [number for number, line in enumerate(lines) if _name(line) == name]
        if not places:
            if not lines[-1].endswith("\n"):
                lines[-1] += newline
            lines.append(f"{name}={quoted(value)}{newline}")
            continue
        line = lines[places[-1]]
        found = _LINE.fullmatch(line)
        assert found is not None
        if _value(found[4]) != value:
            ending = line[len(line.rstrip("\r\n")) :]
            lines[places[-1]] = f"{found[1]}{name}={quoted(value)}{ending}"
    return "".join(lines)


def take(text: str) -> str:
    """The text without what is ours."""
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if _name(line) not in OURS and line.strip() != HEAD)


def quoted(value: str) -> str:
    """A value as it is written: in quotes where it would be read otherwise without them."""
    if re.fullmatch(r"[^\s#'\"]+", value):
        return value
    mark = "'" if '"' in value else '"'
    return f"{mark}{value}{mark}"


def _name(line: str) -> str:
    found = _LINE.fullmatch(line)
    return found[2] if found else ""


def _value(written: str) -> str:
    written = written.strip()
    if written[:1] in ("'", '"') and (end := written.find(written[0], 1)) > 0:
        return written[1:end]
    return re.split(r"\s#", written, maxsplit=1)[0].strip()
