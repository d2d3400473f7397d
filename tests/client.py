"""The HTTP client of the tests: every answer it gets is held against the OpenAPI document.

A path, method or status that the document does not know fails the test, and so does a member it does not name:
what we serve and what we say we serve cannot drift apart while the suite is green.
"""

import re
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from coordination.api import openapi
from coordination.api.routes import ROUTES
from tests.making import Place

DOCUMENT = openapi.build(ROUTES)
# A refused claim's answer is one of several problems; its code says which.
_BY_CODE = {"claim_conflict": "ConflictProblem", "deadlock": "DeadlockProblem", "lost": "LostProblem"}


def _closed(value: Any) -> Any:
    """Clients must take members they do not know; the suite must not."""
    if isinstance(value, dict):
        value = {name: _closed(member) for name, member in value.items()}
        if value.get("type") == "object" and "properties" in value:
            value.setdefault("additionalProperties", False)
        return value
    return [_closed(item) for item in value] if isinstance(value, list) else value


_COMPONENTS = _closed(DOCUMENT["components"])
_TEMPLATES = [
    (re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), path, operations) for path, operations in DOCUMENT["paths"].items()
]


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of one named shape."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": _COMPONENTS})


def check_shape(name: str, body: Any) -> None:
    """Fail, saying where, unless the body has the named shape."""
    errors = [
        f"{'.'.join(map(str, e.absolute_path)) or 'body'}: {e.message[:300]}" for e in validator(name).iter_errors(body)
    ]
    assert not errors, f"not a {name}: " + "; ".join(errors[:5])


def operations_of(path: str) -> tuple[str, dict[str, Any]] | None:
    """The documented path (literal ones go first) and its operations."""
    found = [(template, operations) for pattern, template, operations in _TEMPLATES if pattern.fullmatch(path)]
    return min(found, key=lambda pair: pair[0].count("{"), default=None)


def check(response: httpx.Response) -> None:
    """Fail unless the document says that this request may be answered like this."""
    request = response.request
    where = f"{request.method} {request.url.path} -> {response.status_code}: {response.text[:500]}"
    assert response.status_code < 500, where
    assert response.headers.get("X-Request-Id"), where
    known = operations_of(request.url.path)
    operation = known[1].get(request.method.lower()) if known else None
    if operation is None:
        assert response.status_code in (401, 404, 405), f"not in the document: {where}"
        if response.status_code == 405:
            allowed = {method.strip().lower() for method in response.headers["Allow"].split(",")}
            assert known and allowed == set(known[1]), where
        check_problem(response)
        return
    described = operation["responses"].get(str(response.status_code))
    assert described is not None, f"a status that is not in the document: {where}"
    if "$ref" in described:
        check_problem(response)
        return
    content = described.get("content")
    if content is None:
        assert not response.content, where
        return
    [(media, wanted)] = content.items()
    assert response.headers["Content-Type"].split(";")[0] == media, where
    if media == "text/event-stream":
        return
    body = response.json()
    if response.status_code >= 400:
        check_problem(response)
        name = _BY_CODE.get(body["code"], "Problem")
    else:
        name = wanted["schema"]["$ref"].rsplit("/", 1)[1]
    check_shape(name, body)


def check_problem(response: httpx.Response) -> None:
    """Fail unless this is a problem document that fits its status and request."""
    assert response.headers["Content-Type"] == "application/problem+json", response.text[:300]
    assert response.headers["Cache-Control"] == "no-store"
    body = response.json()
    check_shape("Problem", body)
    assert body["status"] == response.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert body["request_id"] == response.headers["X-Request-Id"]


class Api:
    """Somebody who talks to the API. ``T`` and ``P`` at the start of a path stand for their team and project."""

    def __init__(
        self,
        url: str,
        place: Place,
        *,
        token: str | None = None,
        cookies: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.url = url
        self.place = place
        self.token = token
        self.http = httpx.Client(base_url=url, timeout=60, cookies=cookies, headers=headers)
        if token is not None:
            self.http.headers["Authorization"] = f"Bearer {token}"

    def __del__(self) -> None:
        self.http.close()

    def address(self, path: str) -> str:
        """The whole path of a short one."""
        team = f"/api/v1/teams/{self.place.slug}"
        if path == "T" or path.startswith("T/"):
            return team + path[1:]
        if path == "P" or path.startswith("P/"):
            return f"{team}/projects/{self.place.project}{path[1:]}"
        return path

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request; the answer has been checked."""
        response = self.http.request(method, self.address(path), **more)
        check(response)
        return response

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, json=json, **more)

    def patch(self, path: str, json: Any = None, **more: Any) -> httpx.Response:
        """PATCH."""
        return self.request("PATCH", path, json=json, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        """DELETE."""
        return self.request("DELETE", path, **more)

    def run(self, agent: str = "tester", **said: Any) -> "Api":
        """A registered run of an agent with this credential, as a client of its own."""
        answer = self.post("P/instances", {"agent": agent, **said})
        assert answer.status_code in (200, 201), answer.text
        other = Api(self.url, self.place, token=self.token, cookies=dict(self.http.cookies))
        other.http.headers.update(self.http.headers)
        other.http.headers["Interlock-Instance"] = answer.json()["handle"]
        return other

    @property
    def instance(self) -> str:
        """The id of the run that acts."""
        return str(self.http.headers["Interlock-Instance"]).partition(".")[0]

    def claim(self, *paths: str, **terms: Any) -> httpx.Response:
        """Ask for some paths."""
        return self.post("P/claims", {"paths": list(paths), **terms})
