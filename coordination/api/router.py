"""Paths to routes: a tree of segments, built once. Literal segments go before ``{names}``."""

from collections.abc import Iterable

from coordination.api.call import Route
from tenants.problems import Code, Problem, not_found

BASE = "/api/v1"
_MAX_PATH = 2048


class _Node:
    __slots__ = ("allow", "child", "literal", "name", "routes")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.child: _Node | None = None
        self.name = ""
        self.routes: dict[str, Route] = {}
        self.allow = ""


class Router:
    """Finds the route of a method and path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._root = _Node()
        names = set()
        for route in self.routes:
            assert route.name not in names, f"two routes are named {route.name}"
            names.add(route.name)
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for part in route.path.strip("/").split("/"):
            if part.startswith("{"):
                node.child = node.child or _Node()
                node = node.child
                assert node.name in ("", part[1:-1]), f"{route.path}: that segment is called {{{node.name}}} elsewhere"
                node.name = part[1:-1]
            else:
                node = node.literal.setdefault(part, _Node())
        assert route.method not in node.routes, f"{route.method} {route.path} stands twice"
        node.routes[route.method] = route
        node.allow = ", ".join(sorted(node.routes))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and its path's values. Raises 404, or 405 with ``Allow``."""
        if len(path) > _MAX_PATH or "\0" in path:
            raise not_found("address")
        node = self._root
        values: dict[str, str] = {}
        for part in path[len(BASE) + 1 :].split("/"):
            known = node.literal.get(part)
            if known is None:
                known = node.child
                if known is None or not part:
                    raise not_found("address")
                values[known.name] = part
            node = known
        route = node.routes.get(method)
        if route is None:
            if not node.routes:
                raise not_found("address")
            raise Problem(Code.METHOD_NOT_ALLOWED, f"Allowed here: {node.allow}.", headers={"Allow": node.allow})
        return route, values
