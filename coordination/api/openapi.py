"""The OpenAPI 3.1 document, made from the table of routes: what is not in the table is not served, and the
reverse.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from coordination.api.call import Route
from coordination.api.router import BASE
from coordination.api.schemas.base import Problem, Query, Reply

VERSION = "1.0.0"
_REF = "#/components/schemas/{model}"
_PROBLEM = {"$ref": _REF.format(model="Problem")}
_DESCRIPTIONS = {
    200: "Here it is.",
    201: "Made.",
    202: "Waiting in the queue.",
    204: "Done; nothing to show.",
    304: "You have it already.",
    400: "The request cannot be read.",
    401: "No credential, or none that is good.",
    403: "Not allowed; `needs` names all that is needed.",
    404: "Not here, or not yours.",
    409: "The state of things is against it.",
    410: "The cursor has expired.",
    412: "Somebody wrote in between.",
    413: "The body is too large.",
    415: "Only JSON is taken.",
    422: "Some values are not right; see `errors`.",
    429: "Too many requests.",
    500: "Our mistake.",
    503: "Busy, or the store is away; send it again.",
}
Json = dict[str, Any]


def build(routes: Iterable[Route]) -> Json:
    """The whole document."""
    routes = tuple(routes)
    paths: Json = {}
    for route in routes:
        paths.setdefault(BASE + route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Interlock",
            "version": VERSION,
            "summary": "Coordination for teams whose AI coding agents work on the same code.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(tag for route in routes for tag in route.tags)],
        "paths": paths,
        "components": {
            "securitySchemes": _SECURITY,
            "schemas": _schemas(routes),
            "responses": _problems(routes),
            "headers": _HEADERS,
        },
    }


_SECURITY: Json = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "ilk_…",
        "description": "Of an agent or service.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "The dashboard's; writes need the X-CSRFToken header too.",
    },
}
_HEADERS: Json = {
    "X-Request-Id": {"schema": {"type": "string"}, "description": "Quote it when something is wrong."},
    "ETag": {"schema": {"type": "string"}, "description": "Send it back as If-Match or If-None-Match."},
    "Link": {"schema": {"type": "string"}, "description": '`rel="next"` where there is a next page.'},
    "Location": {"schema": {"type": "string"}, "description": "Where the new thing is."},
    "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."},
    "Idempotency-Replayed": {"schema": {"const": "true"}, "description": "This answer was given before."},
}


def _operation(route: Route) -> Json:
    operation: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": list(route.tags),
        "parameters": _parameters(route),
        "responses": {str(status): _response(route, status) for status in _statuses(route)},
        "x-permissions": [str(permission) for permission in route.permissions],
    }
    if route.body is not None:
        content = {"application/json": {"schema": {"$ref": _REF.format(model=route.body.__name__)}}}
        operation["requestBody"] = {"required": not route.body.OPTIONAL, "content": content}
    return operation


def _statuses(route: Route) -> list[int]:
    found = set(route.responses) | {400, 401, 403, 404, 422, 429, 500, 503}
    if route.method != "GET" or route.waits:
        found.add(409)
    if route.body is not None:
        found |= {413, 415}
    if route.etag and route.method in ("PATCH", "PUT", "DELETE"):
        found.add(412)
    if route.etag and route.method == "GET":
        found.add(304)
    if route.query is not None and "after" in route.query.model_fields:
        found.add(410)
    return sorted(found)


def _problems(routes: Iterable[Route]) -> Json:
    """The problem answers that many routes share."""
    statuses = sorted({status for route in routes for status in _statuses(route) if status >= 400})
    found: Json = {}
    for status in statuses:
        headers = ["X-Request-Id", "Retry-After"] if status in (409, 429, 503) else ["X-Request-Id"]
        found[f"Problem{status}"] = {
            "description": _DESCRIPTIONS[status],
            "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
            "content": {"application/problem+json": {"schema": _PROBLEM}},
        }
    return found


def _response(route: Route, status: int) -> Json:
    if status >= 400 and route.responses.get(status) is None:
        return {"$ref": f"#/components/responses/Problem{status}"}
    headers = ["X-Request-Id"]
    if route.etag and status < 400:
        headers.append("ETag")
    if route.paged and status == 200:
        headers.append("Link")
    if route.idempotent and status < 500:
        headers.append("Idempotency-Replayed")
    response: Json = {
        "description": _DESCRIPTIONS[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
    }
    model = route.responses.get(status)
    if route.follow is not None:
        response["content"] = {"text/event-stream": {"schema": {"type": "string"}}}
    elif model is not None:
        media = "application/json" if status < 400 else "application/problem+json"
        response["content"] = {media: {"schema": {"$ref": _REF.format(model=model.__name__)}}}
    return response


def _parameters(route: Route) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in route.parameters
    ]
    if route.query is not None:
        found += _query(route.query)
    found.append(_header("X-Request-Id", "Echoed where it is 1 to 64 of A-Z a-z 0-9 . _ -.", {"type": "string"}))
    if "{project}" in route.path:
        found.append(_header("Interlock-Instance", "The handle of the acting instance.", {"type": "string"}))
    if route.idempotent:
        key = {"type": "string", "pattern": r"^[\x21-\x7e]{1,255}$"}
        found.append(_header("Idempotency-Key", "Sent again, the request happens once.", key))
    if route.etag and route.method == "GET":
        found.append(_header("If-None-Match", "The ETag you have.", {"type": "string"}))
    if route.etag and route.method in ("PATCH", "PUT", "DELETE"):
        found.append(_header("If-Match", "The ETag you change.", {"type": "string"}))
    if route.follow is not None:
        found.append(
            _header("Last-Event-ID", "The last event you have.", {"type": "string", "pattern": "^[0-9]{1,18}$"})
        )
    return found


def _header(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def _query(model: type[Query]) -> list[Json]:
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(value)}
        for name, value in schema["properties"].items()
    ]


def _plain(schema: Json) -> Json:
    """A query parameter is absent or has a value: null is nothing one could send."""
    schema = {name: value for name, value in schema.items() if name not in ("title", "default") or value is not None}
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        schema = {name: value for name, value in schema.items() if name != "anyOf"} | options[0]
    schema.pop("title", None)
    return schema


def _schemas(routes: Iterable[Route]) -> Json:
    wanted: dict[str, type[BaseModel]] = {"Problem": Problem}
    choices: dict[str, type[Reply]] = {}
    for route in routes:
        for model in (route.body, *route.responses.values()):
            if model is None:
                continue
            if issubclass(model, Reply) and model.ANY_OF:
                choices[model.__name__] = model
                wanted |= {option.__name__: option for option in model.ANY_OF}
            else:
                assert wanted.setdefault(model.__name__, model) is model, f"two shapes named {model.__name__}"
    _, found = models_json_schema([(model, "validation") for model in wanted.values()], ref_template=_REF)
    schemas: Json = found["$defs"]
    for name, choice in choices.items():
        options = [{"$ref": _REF.format(model=option.__name__)} for option in choice.ANY_OF]
        schemas[name] = {"description": choice.__doc__, "anyOf": options}
    return {name: _untitled(schema) for name, schema in sorted(schemas.items())}


def _untitled(value: Any) -> Any:
    """Titles that pydantic makes up from names say nothing."""
    if isinstance(value, dict):
        kept = {k: _untitled(v) for k, v in value.items() if k != "title" or not isinstance(v, str)}
        return kept
    return [_untitled(item) for item in value] if isinstance(value, list) else value


def breaking(old: Json, new: Json) -> list[str]:
    """What a client of the old document could stumble over: removed routes, answers and fields, new
    demands.
    """
    found = []
    for path, operations in old["paths"].items():
        for method, before in operations.items():
            after = new["paths"].get(path, {}).get(method)
            where = f"{method.upper()} {path}"
            if after is None:
                found.append(f"{where} is gone")
                continue
            found += [f"{where} no longer answers {s}" for s in before["responses"] if s not in after["responses"]]
            found += _stricter_parameters(where, before, after)
    for name, before in old["components"]["schemas"].items():
        after = new["components"]["schemas"].get(name)
        if after is None:
            found.append(f"{name} is gone")
        else:
            found += _stricter_schema(name, before, after)
    return found


def _stricter_parameters(where: str, before: Json, after: Json) -> list[str]:
    old = {(p["in"], p["name"]): p for p in before["parameters"]}
    new = {(p["in"], p["name"]): p for p in after["parameters"]}
    gone = [f"{where} no longer takes {name}" for place, name in old.keys() - new.keys()]
    demanded = [
        f"{where} now demands {name}"
        for (place, name), p in new.items()
        if p["required"] and not old.get((place, name), {}).get("required")
    ]
    return sorted(gone) + sorted(demanded)


def _stricter_schema(name: str, before: Json, after: Json) -> list[str]:
    old, new = before.get("properties", {}), after.get("properties", {})
    found = [f"{name}.{field} is gone" for field in old if field not in new]
    is_request = after.get("additionalProperties") is False
    demanded = set(after.get("required", [])) - set(before.get("required", []))
    dropped = set(before.get("required", [])) - set(after.get("required", []))
    found += [f"{name}.{field} is now demanded" for field in sorted(demanded) if is_request]
    found += [f"{name}.{field} may now be missing" for field in sorted(dropped) if not is_request]
    found += [f"{name}.{f} changed its type" for f in old if f in new and _types(old[f]) - _types(new[f])]
    return found


def _types(schema: Json) -> set[str]:
    options = schema.get("anyOf", [schema])
    return {str(o.get("type") or o.get("$ref") or o.get("const") or "any") for o in options}
