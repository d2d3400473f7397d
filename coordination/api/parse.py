"""Bytes of a request into its models; every way it can be wrong is a problem that says so, never a 500."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl

import orjson
from pydantic import ValidationError

from coordination.api.call import Route
from coordination.api.schemas.base import Body, Query
from tenants.problems import Code, FieldError, Problem, invalid

_MAX_ERRORS = 50
_MAX_DEPTH = 100
_MAX_QUERY = 8192
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_TRACE = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def request_id(header: bytes | None) -> str | None:
    """The client's own request id where it is a sane one."""
    return header.decode() if header is not None and _REQUEST_ID.fullmatch(header) else None


def trace_id(header: bytes | None) -> str:
    """The trace of a W3C ``traceparent``, for our log lines; empty where there is none or it is none."""
    match = _TRACE.fullmatch(header) if header else None
    return match[1].decode() if match and match[1] != b"0" * 32 else ""


def idempotency_key(header: bytes | None) -> str | None:
    """The Idempotency-Key, or Problem ``invalid``: 1 to 255 visible ASCII characters."""
    if header is None:
        return None
    text = header.decode("latin-1")
    if not _KEY.fullmatch(text):
        raise invalid("Idempotency-Key", "bad_key", "1 to 255 visible ASCII characters.")
    return text


def check_media_type(content_type: bytes | None, encoding: bytes | None) -> None:
    """Raise 415 for anything but plain JSON."""
    kind = (content_type or b"").split(b";", 1)[0].strip().lower()
    if kind != b"application/json":
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, headers={"Accept": "application/json"})
    if encoding and encoding.strip().lower() != b"identity":
        raise Problem(
            Code.UNSUPPORTED_MEDIA_TYPE,
            "Send the body without Content-Encoding.",
            headers={"Accept-Encoding": "identity"},
        )


def body(model: type[Body], raw: bytes, content_type: bytes | None, encoding: bytes | None = None) -> Any:
    """The body as its model. Raises 415, 400 ``malformed_json`` or 422."""
    if not raw:
        if not model.OPTIONAL:
            raise Problem(Code.MALFORMED_JSON, "The body is empty; send one JSON object.")
        return validate(model, {}, "body")
    if content_type != b"application/json" or encoding is not None:
        check_media_type(content_type, encoding)
    return validate(model, decode(raw), "body")


def decode(raw: bytes) -> Any:
    """JSON, read strictly: UTF-8, no NaN, no name twice in one object, not nested beyond reason. Raises
    400.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise Problem(Code.MALFORMED_JSON, f"The body is not JSON: {error}.") from None
    # Every name brings a colon: where there are no more colons than names kept, none was dropped as a double.
    if raw.count(b":") != _names(value, 0):
        _refuse_doubles(raw)
    return value


def _names(value: Any, depth: int) -> int:
    if depth > _MAX_DEPTH:
        raise Problem(Code.MALFORMED_JSON, f"The body is nested deeper than {_MAX_DEPTH}.")
    if type(value) is dict:
        return len(value) + sum(_names(v, depth + 1) for v in value.values() if type(v) in _NESTED)
    if type(value) is list:
        return sum(_names(v, depth + 1) for v in value if type(v) in _NESTED)
    return 0


_NESTED = frozenset({dict, list})


def _pairs(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise Problem(Code.MALFORMED_JSON, f"The name {double[:100]!r} stands twice in one object.")


_DOUBLES = json.JSONDecoder(object_pairs_hook=_pairs)


def _refuse_doubles(raw: bytes) -> None:
    _DOUBLES.decode(raw.decode())


def query(route: Route, query_string: bytes) -> Any:
    """The query string as the route's model. Raises 422 naming each wrong parameter."""
    model = route.query
    if not query_string:
        if route.no_query is not None or model is None:
            return route.no_query
        return validate(model, {}, "query")
    if len(query_string) > _MAX_QUERY:
        raise Problem(Code.BAD_REQUEST, f"The query string is longer than {_MAX_QUERY} bytes.")
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:  # includes UnicodeDecodeError
        raise Problem(Code.BAD_REQUEST, "The query string is not percent-encoded UTF-8, or far too long.") from None
    return validate(model or Query, _gather(model or Query, pairs), "query")


def _gather(model: type[Query], pairs: list[tuple[str, str]]) -> dict[str, Any]:
    lists = {info.alias or name for name, info in model.model_fields.items() if info.default_factory is list}
    found: dict[str, Any] = {}
    for name, value in pairs:
        if "\0" in value or "\0" in name:
            raise invalid(name.replace("\0", ""), "string_pattern_mismatch", "no NUL characters")
        if name in lists:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise invalid(name[:100], "repeated", "stands twice")
        else:
            found[name] = value
    return found


def validate(model: type[Body] | type[Query], value: Any, what: str) -> Any:
    """The value as its model; ``what`` names it where it is wrong as a whole. Raises 422 naming each wrong field."""
    try:
        return model.__pydantic_validator__.validate_python(value)
    except ValidationError as error:
        raise _invalid(error, what) from None


def _invalid(error: ValidationError, what: str) -> Problem:
    errors = []
    for found in error.errors(include_url=False, include_context=False, include_input=False)[:_MAX_ERRORS]:
        where = ".".join(str(part) for part in found["loc"])[:200] or what
        errors.append(FieldError(where, found["type"], found["msg"]))
    detail = f"{errors[0].field}: {errors[0].detail}"
    return Problem(Code.INVALID, detail, errors=errors, total_errors=error.error_count())
