"""Tokens, members, roles."""

from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from coordination.api.schemas.base import AgentName, Body, Line, Page, Paged, Reply, Slug, Time
from tenants.permissions import PRESETS, ROLES, Permission

if TYPE_CHECKING:  # lists made elsewhere are no types to a checker
    PermissionName: TypeAlias = str
    Preset: TypeAlias = str
    RoleName: TypeAlias = str
else:
    PermissionName = Literal[tuple(str(permission) for permission in Permission)]
    Preset = Literal[tuple(PRESETS)]
    RoleName = Literal[tuple(ROLES)]


class TokenQuery(Paged):
    """``active_only`` leaves out what is revoked or expired."""

    active_only: bool = False


class TokenCreate(Body):
    """A credential for a program: a preset's permissions, or a list of them."""

    name: Line = Field(min_length=1, max_length=120)
    kind: Literal["agent", "service", "personal"] = "agent"
    preset: Preset | None = None
    permissions: list[PermissionName] | None = Field(default=None, min_length=1, max_length=len(Permission))
    project: Slug | None = None
    agent: AgentName | None = None
    expires_in_seconds: int | None = Field(default=None, ge=1, le=10 * 366 * 24 * 3600)

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.preset is None) == (self.permissions is None):
            raise PydanticCustomError("one_of", "send either preset or permissions")
        return self


class MemberCreate(Body):
    """Give a person who has an account here a place in the team."""

    email: Line = Field(min_length=3, max_length=254)
    role: RoleName = "member"


class MemberChange(Body):
    """Change a member's role."""

    role: RoleName


class Maker(Reply):
    """Who made it."""

    id: str
    name: str


class Token(Reply):
    """A credential, without its secret."""

    id: str
    name: str
    kind: str
    hint: str
    state: Literal["active", "expired", "revoked"]
    permissions: list[str]
    project: str | None
    agent: str | None
    created_by: Maker
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Time | None
    last_used_from: str


class NewToken(Token):
    """A fresh credential. ``secret`` is shown this once: it is null when the answer is replayed."""

    secret: str | None


class TokenPage(Page):
    """Tokens of a team, newest first."""

    items: list[Token]


class Person(Reply):
    """Somebody who signs in."""

    id: str
    name: str
    email: str


class Member(Reply):
    """A person's place in a team."""

    id: str
    person: Person
    role: str
    created_at: Time


class MemberPage(Page):
    """Members of a team, oldest first."""

    items: list[Member]


class Role(Reply):
    """A named set of permissions."""

    name: str
    permissions: list[str]


class RoleList(Page):
    """Roles, weakest first."""

    items: list[Role]
