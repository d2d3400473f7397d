"""What a carrier hands to a handler, and what the table says of each route."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from coordination.api.schemas.base import Body, Query, Reply
from coordination.services.results import Answer
from tenants.permissions import Permission
from tenants.principal import Principal


@dataclass(frozen=True, slots=True)
class Call:
    """One request, checked: who asks, the path's values, the query and body as the route's models, and
    headers.
    """

    principal: Principal
    params: Mapping[str, str]
    query: Any = None
    body: Any = None
    if_match: str | None = None
    if_none_match: str | None = None
    idempotency_key: str | None = None
    last_event_id: str | None = None

    @property
    def project(self) -> str:
        """The slug of the project in the path."""
        return self.params["project"]

    @property
    def id(self) -> str:
        """The public id (or slug) of the thing in the path."""
        return self.params["id"]


Handler = Callable[[Call], Answer]


@dataclass(frozen=True)
class Route:
    """One row of the table: what router, schema, permission matrix and both carriers go by.

    ``path`` is relative to ``/api/v1``. ``waits``: the answer may be held open (``wait_seconds``).
    ``idempotent``: takes an Idempotency-Key; every POST does. ``hot``: on the latency budget, so its latency
    is measured on its own. ``follow``: answered with Server-Sent Events; the handler says where to begin and
    what to listen to, ``follow`` reads on from a cursor and says where it got to. ``etag``: its answers carry
    an ETag. ``shown_once``: members of the answer that are not kept for a replay. ``resume`` goes on with a
    stored 202 when its request is sent again.
    """

    method: str
    path: str
    name: str
    handler: Handler
    permissions: tuple[Permission, ...]
    summary: str
    responses: Mapping[int, type[Reply] | None]
    tags: tuple[str, ...]
    body: type[Body] | None = None
    query: type[Query] | None = None
    waits: bool = False
    idempotent: bool = False
    hot: bool = False
    etag: bool = False
    shown_once: tuple[str, ...] = ()
    follow: Callable[[Call, int], dict[str, Any]] | None = None
    resume: Callable[[Call, dict[str, Any]], Answer] | None = None
    no_query: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        # What an absent query means is worked out once; models of queries are never changed by handlers.
        object.__setattr__(self, "no_query", _defaults(self.query))

    @property
    def paged(self) -> bool:
        """Whether it lists in pages."""
        return self.query is not None and "cursor" in self.query.model_fields

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path, in order."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))


def _defaults(query: type[Query] | None) -> Query | None:
    if query is None or any(info.is_required() for info in query.model_fields.values()):
        return None
    return query()
