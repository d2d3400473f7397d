"""What a tool is: arguments, the calls of the route table that they stand for, and the answer in words for a model.

A tool holds no rule. It turns arguments into requests that could have come through REST, so validation, permission,
idempotency, waiting and refusals are the route's own (coordination.api.serve).
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import orjson
from mcp_types import Tool as Listed
from mcp_types import ToolAnnotations
from pydantic import Field, StringConstraints

from coordination.api.call import Route
from coordination.api.routes import ROUTES
from coordination.api.schemas.base import Body, Id
from mcp_gateway.tools import schema
from tenants.permissions import Permission

Shape = dict[str, Any]
Key = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]

BY_NAME = {route.name: route for route in ROUTES}
# One call is held this long at most: below what clients wait for an answer (60 s is the usual limit).
LONGEST_WAIT_S = 50.0


class Arguments(Body):
    """What every tool takes. Unknown arguments are refused."""

    instance: Id | None = Field(default=None, description="your handle, from sync")

    def given(self, *names: str) -> Shape:
        """The named arguments that were sent, as REST would have been sent them."""
        return self.model_dump(include=set(names), by_alias=True, exclude_unset=True, exclude_none=True)


class Step(NamedTuple):
    """One request of the route table. ``instance`` acts instead of the one the caller named."""

    route: str
    body: Shape | None = None
    query: Shape | None = None
    id: str = ""
    key: str | None = None
    instance: str | None = None


class Given(NamedTuple):
    """What a step was answered: the status REST would have had, and its body as JSON has it."""

    status: int
    body: Shape


class Caller(NamedTuple):
    """What a translation may know of who calls: the run it names, and the agent its token is bound to."""

    instance: str | None
    agent: str | None


# Yields one step after the other, is sent what each was answered; the last answer is the tool's.
Translation = Generator[Step, Given, None]


class Hints(NamedTuple):
    """The annotations. No tool reaches beyond Interlock: openWorldHint is false for each."""

    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False


@dataclass(frozen=True)
class Tool:
    """One row of the registry: list, reference, permission matrix and token count are made from it.

    ``routes`` are all that ``translate`` may call; ``shows`` are the members of their answers that the output schema
    names. ``tell`` puts an answer that is no mistake into words. ``sets``: where it is listed (``?tools=``).
    """

    name: str
    description: str
    arguments: type[Arguments]
    routes: tuple[str, ...]
    shows: tuple[str, ...]
    translate: Callable[[Any, Caller], Translation]
    tell: Callable[[Given], str]
    hints: Hints = field(default_factory=Hints)
    sets: tuple[str, ...] = field(default=("core", "full"))

    @cached_property
    def permissions(self) -> tuple[Permission, ...]:
        """What a token needs to see and to call it: all that its routes ask for."""
        return tuple(sorted({needed for name in self.routes for needed in BY_NAME[name].permissions}))

    @cached_property
    def takes(self) -> tuple[str, ...]:
        """The names of its arguments, in the order of the schema."""
        return tuple(self.arguments.model_fields)

    def route(self, step: Step) -> Route:
        """The route of a step."""
        assert step.route in self.routes, f"{self.name} calls {step.route}, which its row does not name"
        return BY_NAME[step.route]

    def listed(self, *, per_project: bool) -> Listed:
        """The tool as tools/list shows it; one endpoint for a whole team takes the project with each call."""
        return self._of_project if per_project else self._of_team

    @cached_property
    def _of_project(self) -> Listed:
        return self._listed(schema.of_arguments(self.arguments))

    @cached_property
    def _of_team(self) -> Listed:
        takes = schema.of_arguments(self.arguments)
        takes["properties"] = {"project": {"type": "string"}} | takes["properties"]
        takes["required"] = ["project", *takes.get("required", ())]
        return self._listed(takes)

    def _listed(self, takes: Shape) -> Listed:
        return Listed(
            name=self.name,
            description=self.description,
            input_schema=takes,
            output_schema=schema.of_answers([BY_NAME[name] for name in self.routes], self.shows),
            annotations=ToolAnnotations(
                read_only_hint=self.hints.read_only,
                destructive_hint=self.hints.destructive,
                idempotent_hint=self.hints.idempotent,
                open_world_hint=False,
            ),
        )


def compact(value: Any) -> str:
    """JSON in one line, as it may be sent back in an argument."""
    return orjson.dumps(value).decode()
