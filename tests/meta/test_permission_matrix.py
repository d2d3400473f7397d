"""Every route and page, as: owner, teammate with too small a role, token with too small a scope, stranger, nobody.

Generated from the table of routes and from Django's URL conf: whatever is served without a row here fails.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.views.generic import RedirectView

from coordination.api.call import Route
from coordination.api.public import PublicDoor
from coordination.api.routes import ROUTES
from mcp_gateway.tools import TOOLS, Tool
from tenants import ids
from tenants.permissions import ROLES, Permission
from tests.client import Api
from tests.making import Place, make_place
from tests.mcp.speaking import Mcp, Told
from tests.web import Web, browser, join, make_person

BY_NAME = {route.name: route for route in ROUTES}


class World:
    """A team with everything in it that a route could be about."""

    def __init__(self, web: Web, place: Place) -> None:
        self.web, self.place = web, place
        self.owner = Api(web.url, place, token=place.token(*Permission)).run("owner")

    def session(self, role: str) -> Api:
        """Somebody of this team, signed in."""
        person = make_person(role)
        join(self.place, person, role)
        return browser(self.web, self.place, person)

    def token(self, *permissions: Permission) -> Api:
        """A token of this team."""
        return Api(self.web.url, self.place, token=self.place.token(*permissions))

    def strangers(self) -> Iterator[Api]:
        """Owners of another team, with a token and with a session, who ask about this one."""
        elsewhere = make_place()
        yield Api(self.web.url, self.place, token=elsewhere.token(*Permission))
        person = make_person("stranger")
        join(elsewhere, person, "owner")
        yield browser(self.web, self.place, person)

    def made(self, path: str, body: dict[str, Any], **more: Any) -> str:
        """The id of something new."""
        answer = self.owner.post(path, body, **more)
        assert answer.status_code in (201, 202), answer.text
        return str(answer.json()["id"])

    def claim(self) -> str:
        return self.made("P/claims", {"paths": ["held.py"]})

    def entry(self) -> str:
        self.owner.run("another").claim("awaited.py")
        return self.made("P/claims", {"paths": ["awaited.py"], "wait_seconds": 0})

    def member(self) -> str:
        person = make_person("member")
        join(self.place, person, "member")
        members = self.owner.get("T/members").json()["items"]
        return str(next(m["id"] for m in members if m["person"]["email"] == person.email))

    def repository(self) -> str:
        self.owner.post("P/repositories", {"slug": "second"})
        return "second"


@dataclass(frozen=True)
class Row:
    """What the owner gets, and what has to be sent for it."""

    status: int = 200
    body: dict[str, Any] | None = None
    id: Callable[[World], str] | None = None
    query: dict[str, Any] = field(default_factory=dict)


ROWS: dict[str, Row] = {
    "me": Row(),
    "team_list": Row(),
    "team_get": Row(),
    "project_list": Row(),
    "project_create": Row(201, {"slug": "fresh"}),
    "project_get": Row(),
    "project_change": Row(200, {"policy": {"grace_seconds": 60}}),
    "freeze": Row(200, {"reason": "because"}),
    "thaw": Row(),
    "token_list": Row(),
    "token_create": Row(201, {"name": "t", "preset": "reader"}),
    "token_get": Row(id=lambda w: w.made("T/tokens", {"name": "t", "preset": "reader"})),
    "token_revoke": Row(id=lambda w: w.made("T/tokens", {"name": "t", "preset": "reader"})),
    "member_list": Row(),
    "member_add": Row(201, {"email": "made by the test", "role": "viewer"}),
    "member_change": Row(200, {"role": "viewer"}, World.member),
    "member_remove": Row(204, id=World.member),
    "role_list": Row(),
    "repository_list": Row(),
    "repository_create": Row(201, {"slug": "new"}),
    "repository_get": Row(id=World.repository),
    "repository_change": Row(200, {"default_branch": "trunk"}, World.repository),
    "repository_delete": Row(204, id=World.repository),
    "instance_register": Row(201, {"agent": "a"}),
    "instance_list": Row(),
    "instance_get": Row(id=lambda w: w.owner.instance),
    "instance_change": Row(200, {"lane": "api"}, lambda w: w.owner.instance),
    "instance_end": Row(id=lambda w: w.owner.instance),
    "instance_heartbeat": Row(id=lambda w: w.owner.instance),
    "roster": Row(),
    "sync": Row(),
    "guard": Row(200, {"event": "pre_tool", "session": "s", "touches": [{"path": "a.py"}]}),
    "claim_create": Row(201, {"paths": ["a.py"]}),
    "claim_list": Row(),
    "claim_check": Row(200, {"paths": ["a.py"]}),
    "claim_release_many": Row(200, {"task": "T-1"}),
    "claim_get": Row(id=World.claim),
    "claim_change": Row(200, {"mode": "shared"}, World.claim),
    "claim_release": Row(id=World.claim),
    "claim_renew": Row(200, {"ttl_seconds": 60}, World.claim),
    "queue_list": Row(),
    "queue_get": Row(202, id=World.entry),
    "queue_cancel": Row(id=World.entry),
    "allocation_create": Row(201, {"pool": "port"}),
    "allocation_list": Row(),
    "allocation_release": Row(id=lambda w: w.made("P/allocations", {"pool": "port"})),
    "verify": Row(200, {"changes": [{"path": "a.py"}]}),
    "message_post": Row(201, {"to": "all", "text": "hello"}),
    "message_list": Row(),
    "inbox": Row(),
    "inbox_ack": Row(200, {"cursor": "0"}),
    "event_publish": Row(201, {"topic": "x"}),
    "event_list": Row(),
    "event_stream": Row(),
}


def test_every_route_has_a_row():
    assert set(ROWS) == set(BY_NAME)


def send(api: Api, route: Route, row: Row, world: World) -> httpx.Response:
    """The request of a row; a stream is left as soon as it has begun."""
    body = row.body
    if route.name == "member_add":
        body = {"email": make_person("new").email, "role": "viewer"}
    path = f"/api/v1{route.path}".replace("{team}", world.place.slug).replace("{project}", world.place.project)
    if row.id is not None:
        path = path.replace("{id}", row.id(world))
    if route.follow is not None:
        with api.http.stream(route.method, path) as response:
            if response.status_code != 200:
                response.read()
            return response
    return api.request(route.method, path, json=body)


@pytest.fixture(params=ROUTES, ids=lambda route: route.name)
def route(request) -> Route:
    return request.param


def test_owner(route, web, place):
    world = World(web, place)
    assert send(world.owner, route, ROWS[route.name], world).status_code == ROWS[route.name].status


def test_teammate_with_too_small_a_role(route, web, place):
    world = World(web, place)
    answer = send(world.session("viewer"), route, ROWS[route.name], world)
    if ROLES["viewer"].issuperset(route.permissions):
        # Every role may look; taking somebody else out of the team is the service's to refuse.
        expected = {"member_remove": 403}.get(route.name, ROWS[route.name].status)
        assert answer.status_code == expected
    else:
        refuses(answer, route)


@pytest.mark.invariant("INV-17")
def test_token_with_too_small_a_scope(route, web, place):
    world = World(web, place)
    for missing in route.permissions:
        answer = send(world.token(*(set(Permission) - {missing})), route, ROWS[route.name], world)
        refuses(answer, route)
        assert answer.json()["lacks"] == [missing]
    if not route.permissions:
        assert send(world.token(Permission.VERIFY), route, ROWS[route.name], world).status_code in (200, 403)


def refuses(answer: httpx.Response, route: Route) -> None:
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert answer.json()["needs"] == sorted(route.permissions)


@pytest.mark.invariant("INV-15")
def test_stranger_of_another_team(route, web, place):
    world = World(web, place)
    for stranger in world.strangers():
        answer = send(stranger, route, ROWS[route.name], world)
        if "{team}" in route.path:
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        else:
            assert answer.status_code == 200 and place.slug not in answer.text


def test_nobody(route, web, place):
    world = World(web, place)
    answer = send(Api(web.url, place), route, ROWS[route.name], world)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if "{project}" in route.path], ids=lambda route: route.name
)
@pytest.mark.invariant("INV-17")
def test_token_bound_to_another_project(route, web, place):
    world = World(web, place)
    world.owner.post("T/projects", {"slug": "other"})
    made = world.owner.post(
        "T/tokens", {"name": "bound", "permissions": [str(p) for p in Permission], "project": "other"}
    ).json()
    bound = Api(web.url, place, token=made["secret"])
    assert send(bound, route, ROWS[route.name], world).status_code == 404


# --- tools: the registry of the MCP door ---------------------------------------------------------------------

# Arguments that are right for a run of the owner's token.
TOOL_ROWS: dict[str, dict[str, Any]] = {
    "sync": {"agent": "a"},
    "claim": {"paths": ["a.py"]},
    "release": {"all": True},
    "message": {"action": "send", "to": "all", "text": "hello"},
    "verify": {"paths": ["a.py"]},
}


def test_every_tool_has_a_row():
    assert set(TOOL_ROWS) == {tool.name for tool in TOOLS}


@pytest.fixture(params=TOOLS, ids=lambda tool: tool.name)
def tool(request) -> Tool:
    return request.param


def told(world: World, tool: Tool, token: str | None, *, era: str = "2026-07-28") -> Told | httpx.Response:
    """What a tool says to a token; the HTTP answer where it is not let in."""
    client = Mcp(world.web, world.place, token, era=era)
    message = client.message("tools/call", {"name": tool.name, "arguments": TOOL_ROWS[tool.name]})
    answer = client.send(message)
    return client.call(tool.name, **TOOL_ROWS[tool.name]) if answer.status_code == 200 else answer


def test_owner_calls_a_tool(tool, web, place):
    world = World(web, place)
    assert not told(world, tool, world.owner.token).mistake


def test_a_session_is_no_way_in_to_a_tool(tool, web, place):
    world = World(web, place)
    client = Mcp(web, place)
    client.http.cookies = world.session("owner").http.cookies
    message = client.message("tools/call", {"name": tool.name, "arguments": TOOL_ROWS[tool.name]})
    assert client.send(message).status_code == 401


@pytest.mark.invariant("INV-17")
def test_a_token_with_too_small_a_scope_calls_no_tool(tool, web, place):
    world = World(web, place)
    assert tool.permissions
    for missing in tool.permissions:
        token = place.token(*(set(Permission) - {missing}))
        answer = told(world, tool, token)
        assert answer.mistake and answer.code == "forbidden"
        assert (answer.body["needs"], answer.body["lacks"]) == (sorted(tool.permissions), [missing])
        listed = [found["name"] for found in Mcp(web, place, token).ask("tools/list")["tools"]]
        assert tool.name not in listed


@pytest.mark.invariant("INV-15")
def test_a_stranger_of_another_team_calls_no_tool(tool, web, place):
    world = World(web, place)
    for era in ("2025-06-18", "2026-07-28"):
        assert told(world, tool, make_place().token(*Permission), era=era).status_code == 404


def test_nobody_calls_a_tool(tool, web, place):
    assert told(World(web, place), tool, None).status_code == 401


@pytest.mark.invariant("INV-17")
def test_a_token_bound_to_another_project_calls_no_tool(tool, web, place):
    world = World(web, place)
    world.owner.post("T/projects", {"slug": "other"})
    made = world.owner.post(
        "T/tokens", {"name": "bound", "permissions": [str(p) for p in Permission], "project": "other"}
    ).json()
    assert told(world, tool, made["secret"]).status_code == 404


# --- pages: Django's URL conf -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """What owner and viewer of the team get for a page that belongs to it."""

    owner: int
    viewer: int
    method: str = "GET"


# Pages of a team. A stranger gets 404 on each, nobody is sent to the sign-in.
TEAM_PAGES = {
    "dashboard:project": Page(200, 200),
    "dashboard:tokens": Page(200, 403),
    "dashboard:token_revoke": Page(404, 403, "POST"),
}
# Pages about oneself: whoever is signed in sees only their own; nobody is sent to the sign-in.
OWN_PAGES = {"dashboard:home"}
# django-allauth's pages, signed in or not; they know the session's own person and no team.
ACCOUNT_PAGES = "account_"
# The routes above, all behind one pattern.
API = "api"


def _patterns(resolver: URLResolver, space: str = "") -> Iterator[tuple[str, URLPattern]]:
    for item in resolver.url_patterns:
        if isinstance(item, URLResolver):
            yield from _patterns(item, f"{space}{item.namespace}:" if item.namespace else space)
        else:
            yield f"{space}{item.name}", item


def test_every_address_that_django_serves_has_a_row():
    served = {name for name, _ in _patterns(get_resolver())}
    accounts = {name for name in served if name.startswith(ACCOUNT_PAGES)}
    redirects = {name for name, pattern in _patterns(get_resolver()) if _is_redirect(pattern)}
    assert served - accounts - redirects == set(TEAM_PAGES) | OWN_PAGES | {API}


def _is_redirect(pattern: URLPattern) -> bool:
    return issubclass(getattr(pattern.callback, "view_class", object), RedirectView)


def page_of(api: Api, name: str, method: str = "GET") -> httpx.Response:
    known = {"team": api.place.slug, "project": api.place.project, "token": ids.show("tok", ids.new_id())}
    wanted = next(pattern for found, pattern in _patterns(get_resolver()) if found == name)
    path = reverse(name, kwargs={key: known[key] for key in wanted.pattern.converters})
    return api.http.request(method, path)


@pytest.mark.parametrize("name", TEAM_PAGES)
def test_pages_of_a_team(name, web, place):
    page, world = TEAM_PAGES[name], World(web, place)
    assert page_of(world.session("owner"), name, page.method).status_code == page.owner
    assert page_of(world.session("viewer"), name, page.method).status_code == page.viewer
    _, stranger = world.strangers()
    assert page_of(stranger, name, page.method).status_code == 404
    csrf = {"cookies": {"csrftoken": "x" * 32}, "headers": {"X-CSRFToken": "x" * 32}}
    nobody = page_of(Api(web.url, place, **csrf), name, page.method)
    assert (nobody.status_code, nobody.headers["Location"].startswith("/sign-in/")) == (302, True)
    with_token = page_of(world.owner, name)
    assert with_token.status_code in (302, 405)  # tokens are for programs; pages are for people


@pytest.mark.parametrize("name", sorted(OWN_PAGES))
def test_pages_about_oneself(name, web, place):
    world = World(web, place)
    assert place.slug in page_of(world.session("viewer"), name).text
    _, stranger = world.strangers()
    assert place.slug not in page_of(stranger, name).text
    nobody = page_of(Api(web.url, place), name)
    assert (nobody.status_code, nobody.headers["Location"].startswith("/sign-in/")) == (302, True)


def test_public_addresses_are_few_and_known():
    assert PublicDoor.exact == {
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/openapi.json",
        "/api/v1/docs",
        "/problems",
    }
