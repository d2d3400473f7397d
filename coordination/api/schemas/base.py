"""What all shapes share. Requests refuse what they do not know; answers may grow (api.md, "Shapes")."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from tenants.problems import Code

# Ids are opaque to clients; services look them up inside the caller's team, and a made-up one is 404.
Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
# Text in one line, and text with line breaks; neither Postgres nor a terminal wants control characters.
Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]*$")]
Prose = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$")]
RepositorySlug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9._-]{0,78}[a-z0-9_-])?$")]
AgentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9])?$")]
Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]
PageCursor = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,200}$")]
Mode = Literal["exclusive", "shared", "read", "advisory"]
Urgency = Literal["low", "normal", "high", "blocking"]


def _moment(value: Any) -> datetime:
    """RFC 3339 with an offset; anything vaguer would be a guess."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is not None and found.tzinfo is not None and len(value) >= len("2026-01-01T00:00Z"):
            try:
                return found.astimezone(UTC)
            except OverflowError:
                pass
    raise PydanticCustomError("timestamp", "must be an RFC 3339 time with an offset, such as 2026-01-31T12:00:00Z")


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
# In answers a time is already text or about to be: the schema is all that is wanted of it.
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


def _whole(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip("-").isdecimal() and value.isascii() and len(value) < 20:
        return int(value)
    raise PydanticCustomError("int_parsing", "must be a whole number")


Whole = Annotated[int, BeforeValidator(_whole)]
WaitSeconds = Annotated[
    int,
    Field(
        ge=0,
        le=600,
        description="Absent: answer now. 0: enqueue, where there is a queue. More: hold the request.",
    ),
]


class Body(BaseModel):
    """A request's JSON object. ``OPTIONAL`` ones may be left out, which means an empty object."""

    OPTIONAL: ClassVar[bool] = False

    model_config = ConfigDict(extra="forbid", strict=True)


class Nothing(Body):
    """For requests that say everything in their address."""

    OPTIONAL = True


class Query(BaseModel):
    """A request's query string."""

    model_config = ConfigDict(extra="forbid")


class Paged(Query):
    """The query of a list."""

    limit: Whole = Field(default=50, ge=1, le=200)
    cursor: PageCursor | None = Field(default=None, description="`next_cursor` of the page before.")


class Waiting(Query):
    """The query of something that can be waited for."""

    wait_seconds: Annotated[Whole, Field(ge=0, le=600)] | None = None


class Reply(BaseModel):
    """An answer's JSON object, for the schema: answers are not passed through it.

    ``ANY_OF`` makes it a choice of others.
    """

    ANY_OF: ClassVar[tuple[type["Reply"], ...]] = ()

    model_config = ConfigDict(extra="ignore")


class Page(Reply):
    """A list; subclasses say of what."""

    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last one.")


class FieldProblem(Reply):
    """One wrong field."""

    field: str = Field(description="Where it is, such as `scopes.0.pattern`.")
    code: str
    detail: str


class Problem(Reply):
    """What went wrong and how to go on (RFC 9457). Further members depend on the code."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: Literal[tuple(str(code) for code in Code)]  # type: ignore[valid-type]
    remedy: str | None = None
    request_id: str
    retry_after: int | float | None = None
    errors: list[FieldProblem] | None = None
