"""Schemas as models read them: short. What they leave out (lengths, patterns) is refused with a sentence that says it.

A listing stands in the context of every conversation, so each word of it is paid for each time.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from coordination.api.call import Route

Shape = dict[str, Any]
_KEPT = ("type", "enum", "description", "minimum", "maximum")


def of_arguments(model: type[BaseModel]) -> Shape:
    """The input schema of an arguments model."""
    full = model.model_json_schema(by_alias=True)
    return _object(full, full.get("$defs", {}), top=True)


def of_answers(routes: Sequence[Route], names: Iterable[str]) -> Shape:
    """The output schema: the named members of whatever the routes answer, with the types they have there."""
    models = [model for route in routes for model in route.responses.values() if model is not None]
    shown: dict[str, set[str]] = {}
    for model in (one for found in models for one in (found.ANY_OF or (found,))):
        full = model.model_json_schema(by_alias=True)
        for name, member in full["properties"].items():
            shown.setdefault(name, set()).update(_types(member, full.get("$defs", {})))
    properties: Shape = {}
    for name in names:
        # No such member is a KeyError. Several types in one place are not understood by every client: leave it out.
        [properties[name]] = [{"type": kind} for kind in shown[name]]
    return {"type": "object", "properties": properties}


def _types(member: Shape, defs: Shape) -> set[str]:
    if "$ref" in member:
        return _types(defs[member["$ref"].rsplit("/", 1)[1]], defs)
    if "anyOf" in member:
        return {found for option in member["anyOf"] for found in _types(option, defs)}
    if "type" in member:
        return {member["type"]}
    return {"string"}  # a choice of words


def _object(full: Shape, defs: Shape, *, top: bool) -> Shape:
    properties = {name: _member(member, defs) for name, member in full["properties"].items()}
    shown: Shape = {"type": "object", "properties": properties}
    if required := full.get("required"):
        shown["required"] = required
    if top:
        shown["additionalProperties"] = False
    return shown


def _member(member: Shape, defs: Shape) -> Shape:
    if "anyOf" in member:
        # That an argument may be left out is said by `required`; null is taken, too, and not worth a word.
        options = [option for option in member["anyOf"] if option.get("type") != "null"]
        assert len(options) == 1, "an argument of several types needs its schema written out"
        member = options[0] | {name: member[name] for name in ("description",) if name in member}
    if "$ref" in member:
        return _object(defs[member["$ref"].rsplit("/", 1)[1]], defs, top=False)
    shown = {name: member[name] for name in _KEPT if name in member}
    if "properties" in member:
        shown["properties"] = member["properties"]
    if "items" in member:
        shown["items"] = _member(member["items"], defs)
    return shown
