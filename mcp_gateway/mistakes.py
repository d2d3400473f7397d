"""Mistakes as a model can mend them: the problem document of every door, with a way out that a tool call can take."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from coordination.api import parse
from mcp_gateway.tools.base import Shape, Tool
from tenants.problems import Code, FieldError, Problem

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
# Where REST's way out names a route or a header, this is the same in tools.
_REMEDY: Mapping[str, str] = {
    Code.INSTANCE_REQUIRED: (
        "Pass the handle that sync gave you (ins_….1) as `instance`. If you have none, call sync without `instance` "
        "and pass the handle it answers with every call: agent, worktree and thread_id as before get a lost one back."
    ),
    Code.INSTANCE_ENDED: "Call sync without `instance`: it registers this session again. Then claim again.",
    Code.INSTANCE_SUPERSEDED: (
        "Another copy of this session goes on in your place and holds your claims: stop editing. If you are not a "
        "copy, call sync without `instance` and with a thread_id of your own."
    ),
    Code.FORBIDDEN: "This token cannot do that: tell the person you work for which scopes are in `needs`.",
    Code.IDEMPOTENCY_MISMATCH: "Use a new idempotency_key for a new request.",
    Code.INVALID: "Mend the arguments named in `errors` and call again.",
    Code.CURSOR_EXPIRED: "Call again without `after`.",
}


def checked(tool: Tool, given: Shape, *, team_wide: bool) -> Any:
    """The arguments as the tool's model. Raises 422; an argument that does not exist is told with those that do."""
    try:
        return parse.validate(tool.arguments, given, "arguments")
    except Problem as problem:
        names = ("project", *tool.takes) if team_wide else tool.takes
        errors = [_error(error, names, tool.name) for error in problem.errors]
        raise Problem(Code.INVALID, f"{errors[0].field}: {errors[0].detail}", errors=errors, **problem.extra) from None


# What patterns mean, for those that are met most.
_PATTERNS: Mapping[str, str] = {
    "^[^\\x00-\\x1f\\x7f]*$": "one line, without control characters",
    "^[^\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]*$": "text without control characters other than line breaks and tabs",
    "^[\\x21-\\x7e]{1,255}$": "1 to 255 visible ASCII characters",
    "^[0-9]{1,18}$": "a cursor as an answer gave it, digits only",
}


def _error(error: FieldError, names: tuple[str, ...], tool: str) -> FieldError:
    if error.code == "string_pattern_mismatch":
        meant = next((words for pattern, words in _PATTERNS.items() if f"'{pattern}'" in error.detail), None)
        return error._replace(detail=f"must be {meant}") if meant else error
    if error.code != "extra_forbidden" or "." in error.field:
        return error
    near = get_close_matches(error.field, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return error._replace(detail=f"there is no such argument; {hint}{tool} takes {', '.join(names)}")


def worded(document: Shape) -> Shape:
    """The document with the way out that tools have."""
    remedy = _REMEDY.get(document["code"])
    if remedy is None:
        return document
    changed = document | {"remedy": remedy}
    if document["detail"] == document.get("remedy"):
        changed["detail"] = document["title"]
    return changed


def told(document: Shape) -> str:
    """A mistake in words."""
    lines = [f"ERROR ({document['code']}): {document['detail']}"]
    lines += [f"- {error['field']}: {error['detail']}" for error in document.get("errors", ())[1:20]]
    if needs := document.get("needs"):
        lines.append(f"Needs: {', '.join(needs)}.")
    if document["remedy"] != document["detail"]:
        lines.append(f"What to do: {document['remedy']}")
    if document.get("retry_after"):
        lines.append(f"Come back after {document['retry_after']} s.")
    # What was sent may stand in what is wrong with it.
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", "\n".join(lines))
