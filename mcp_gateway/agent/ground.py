"""What is typed as a path, as ground: relative to the repository, one file as exactly that file."""

import os
import re
from pathlib import Path

from mcp_gateway.agent.output import UserError
from mcp_gateway.agent.repo import Checkout, real

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_-]*:.")
_WILD = re.compile(r"[*?]")


def pattern(text: str, checkout: Checkout | None, cwd: Path, *, exact: bool = False, tree: bool = False) -> str:
    """The pattern that is claimed for one argument.

    A path is taken from the working directory, and made relative to the checkout. An existing regular file is just
    that file (`file:path`); `exact` says so of a path that does not exist yet, `tree` says the opposite. What
    reads `kind:name` goes through as it is, unless there is such a file. Raises UserError for a path outside.
    """
    if not text:
        raise UserError("An empty path: name a file, a directory or a pattern")
    if is_kind(text, cwd):
        return text
    path = repository_path(text, checkout, cwd)
    if not path:
        return "**"
    plain = not _WILD.search(path)
    if exact and not plain:
        raise UserError(f"{text}: --exact is for one file, and * and ? are wildcards")
    if exact or (plain and not tree and not path.endswith("/") and _is_file(path, text, checkout, cwd)):
        return f"file:{path.rstrip('/')}"
    return f"path:{path}" if _KIND.match(path) else path


def repository_path(text: str, checkout: Checkout | None, cwd: Path) -> str:
    """A path as the repository has it, with `/`, without `.` and `..`; empty for its root. A trailing `/` stays."""
    if os.sep == "\\":
        text = text.replace("\\", "/")
    directory = text.endswith("/")
    if checkout is None:
        if os.path.isabs(text) or text.split("/")[0] == "..":
            raise UserError(f"{text}: outside of a git checkout, name paths from the repository's root")
        path = os.path.normpath(text).replace(os.sep, "/")
    else:
        path = _below(text, checkout, cwd)
    path = "" if path == "." else path
    return f"{path}/" if path and directory else path


def is_kind(text: str, cwd: Path) -> bool:
    """Whether it reads `kind:name`, and is no path that exists."""
    if not _KIND.match(text) or (os.name == "nt" and text[1:2] == ":"):
        return False
    return not os.path.lexists(cwd / text)


def _below(text: str, checkout: Checkout, cwd: Path) -> str:
    top = str(checkout.top)
    here = os.path.normpath(os.path.join(real(cwd), text))
    for candidate in (here, os.path.join(real(Path(os.path.dirname(here))), os.path.basename(here))):
        if candidate == top or candidate.startswith(top.rstrip(os.sep) + os.sep):
            return os.path.relpath(candidate, top).replace(os.sep, "/")
    raise UserError(f"{text} lies outside of the checkout {top}")


def _is_file(path: str, text: str, checkout: Checkout | None, cwd: Path) -> bool:
    return os.path.isfile(checkout.top / path if checkout else cwd / text)
