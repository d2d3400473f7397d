"""Changes to a JSON text that leave every byte alone that is not part of the change.

A document is never dumped anew: order, spacing, number spellings, escapes, line ends and a missing last line end are
the owner's. What is added is indented as its surroundings are. Text that is not JSON, comments included, is refused:
see :class:`NotJsonError`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from mcp_gateway.agent.wiring.blocks import newline_of

_SPACE = re.compile(r"[ \t\r\n]*")
_INDENT = re.compile(r"\n([ \t]+)\S")


class NotJsonError(ValueError):
    """The text cannot be read as JSON, or holds something else where a change is to go. One sentence."""


@dataclass(slots=True)
class _Node:
    start: int
    end: int = 0
    value: Any = None
    keys: list[tuple[str, int]] = field(default_factory=list)  # of an object: each key with where it starts
    items: list[_Node] = field(default_factory=list)

    def starts(self) -> list[int]:
        return (
            [start for _, start in self.keys] if isinstance(self.value, dict) else [item.start for item in self.items]
        )


def read(text: str) -> Any:
    """The value of a JSON text; nothing but space is an empty object. Raises NotJsonError."""
    return _scan(text).value if _bare(text) else {}


def get(text: str, path: tuple[str, ...]) -> Any:
    """The value at a path of keys, None where there is none. Raises NotJsonError."""
    value = read(text)
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def put(text: str, path: tuple[str, ...], value: Any) -> str:
    """The text with a value at a path of keys; objects on the way are made. An equal value is left as it is written.

    Raises NotJsonError where something other than an object is in the way.
    """
    if not _bare(text):
        text = text + "{}" + newline_of(text)
    node = _scan(text)
    for depth, key in enumerate(path):
        if not isinstance(node.value, dict):
            raise NotJsonError(f"`{'.'.join(path[:depth]) or 'the document'}` is not an object")
        found = _member(node, key)
        if found is None:
            for wrapping in reversed(path[depth + 1 :]):
                value = {wrapping: value}
            return _insert(text, node, value, key)
        node = node.items[found]
    return text if _same(node.value, value) else _replace(text, node, value)


def append(text: str, path: tuple[str, ...], value: Any) -> str:
    """The text with one more value in the list at a path, which is made where it is missing. Raises NotJsonError."""
    if get(text, path) is None:
        return put(text, path, [value])
    return _insert(text, _list(text, path), value)


def put_item(text: str, path: tuple[str, ...], index: int, value: Any) -> str:
    """The text with another value at a place of a list."""
    return _replace(text, _list(text, path).items[index], value)


def drop_item(text: str, path: tuple[str, ...], index: int) -> str:
    """The text without one value of a list."""
    return _drop(text, _list(text, path), index)


def drop(text: str, path: tuple[str, ...]) -> str:
    """The text without the value at a path of keys; without it already, the text itself. Raises NotJsonError."""
    if not _bare(text):
        return text
    node = _scan(text)
    for key in path[:-1]:
        found = _member(node, key)
        if found is None:
            return text
        node = node.items[found]
    found = _member(node, path[-1])
    return text if found is None else _drop(text, node, found)


# --- reading with places ------------------------------------------------------------------------------------


def _bare(text: str) -> str:
    return text.removeprefix("\ufeff").strip(" \t\r\n")


def _scan(text: str) -> _Node:
    skipped = len(text) - len(text.removeprefix("\ufeff"))
    try:
        json.loads(text[skipped:], parse_constant=_refuse)
        return _node(text, _past(text, skipped))
    except json.JSONDecodeError as error:
        if re.search(r"(^|\s)(//|/\*)", text):
            raise NotJsonError("it has comments, or is no JSON; it is left as it is") from None
        raise NotJsonError(f"it is no JSON (line {error.lineno}: {error.msg})") from None
    except RecursionError:
        raise NotJsonError("it is nested too deeply") from None


def _refuse(word: str) -> NoReturn:
    raise NotJsonError(f"it is no JSON ({word} is no JSON value)")


def _past(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _node(text: str, at: int) -> _Node:
    if text[at] == "{":
        return _object(text, at)
    if text[at] == "[":
        return _array(text, at)
    value, end = json.JSONDecoder().raw_decode(text, at)
    return _Node(at, end, value)


def _object(text: str, at: int) -> _Node:
    node, at = _Node(at, value={}), _past(text, at + 1)
    while text[at] != "}":
        key, end = json.JSONDecoder().raw_decode(text, at)
        item = _node(text, _past(text, _past(text, end) + 1))
        node.keys.append((key, at))
        node.items.append(item)
        node.value[key] = item.value
        at = _past(text, item.end)
        if text[at] == ",":
            at = _past(text, at + 1)
    node.end = at + 1
    return node


def _array(text: str, at: int) -> _Node:
    node, at = _Node(at, value=[]), _past(text, at + 1)
    while text[at] != "]":
        item = _node(text, at)
        node.items.append(item)
        node.value.append(item.value)
        at = _past(text, item.end)
        if text[at] == ",":
            at = _past(text, at + 1)
    node.end = at + 1
    return node


def _member(node: _Node, key: str) -> int | None:
    """The place of a key; the last one where it stands twice, as parsers take it."""
    places = [place for place, (name, _) in enumerate(node.keys) if name == key]
    return places[-1] if places else None


def _list(text: str, path: tuple[str, ...]) -> _Node:
    node = _scan(text)
    for key in path:
        found = _member(node, key)
        assert found is not None, f"no {key}"
        node = node.items[found]
    if not isinstance(node.value, list):
        raise NotJsonError(f"`{'.'.join(path)}` is not a list")
    return node


def _same(left: Any, right: Any) -> bool:
    """Equal as JSON: ``1`` is not ``true``."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


# --- writing ------------------------------------------------------------------------------------------------


def _unit(text: str) -> str | None:
    """One step of indentation, None for a document on one line."""
    found = _INDENT.search(text)
    if found:
        return found[1]
    return None if len(_bare(text)) > 2 and "\n" not in _bare(text) else "  "


def _margin(text: str, at: int) -> str:
    """The indentation of the line a place is in."""
    line = text[text.rfind("\n", 0, at) + 1 : at].removeprefix("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))]


def _render(text: str, value: Any, margin: str) -> str:
    unit = _unit(text)
    if unit is None:
        tight = ": " not in text and ":" in text
        return json.dumps(value, ensure_ascii=False, separators=(",", ":") if tight else None)
    written = json.dumps(value, ensure_ascii=False, indent=unit)
    return written.replace("\n", newline_of(text) + margin)


def _replace(text: str, node: _Node, value: Any) -> str:
    return text[: node.start] + _render(text, value, _margin(text, node.start)) + text[node.end :]


def _insert(text: str, node: _Node, value: Any, key: str | None = None) -> str:
    newline, starts = newline_of(text), node.starts()
    if starts:
        spread = "\n" in text[node.start : starts[0]]
        margin = _margin(text, starts[-1]) if spread else _margin(text, node.start)
        last = node.items[-1].end
        gap = f",{newline}{margin}" if spread else (", " if ": " in text or ", " in text else ",")
        return text[:last] + gap + _pair(text, key, value, margin) + text[last:]
    unit, outer = _unit(text), _margin(text, node.start)
    opening, closing = text[node.start], text[node.end - 1]
    if unit is None:
        return text[: node.start] + opening + _pair(text, key, value, outer) + closing + text[node.end :]
    inner = outer + unit
    body = f"{opening}{newline}{inner}{_pair(text, key, value, inner)}{newline}{outer}{closing}"
    return text[: node.start] + body + text[node.end :]


def _pair(text: str, key: str | None, value: Any, margin: str) -> str:
    if key is None:
        return _render(text, value, margin)
    colon = ":" if _unit(text) is None and ": " not in text and ":" in text else ": "
    return json.dumps(key, ensure_ascii=False) + colon + _render(text, value, margin)


def _drop(text: str, node: _Node, index: int) -> str:
    starts = node.starts()
    if len(starts) == 1:
        return text[: node.start + 1] + text[node.end - 1 :]
    if index == len(starts) - 1:
        return text[: node.items[index - 1].end] + text[node.items[index].end :]
    return text[: starts[index]] + text[starts[index + 1] :]
