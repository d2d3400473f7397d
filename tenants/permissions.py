"""What may be done: one list of permissions for people's roles and for tokens' scopes."""

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """A right that a route or service asks for. Values are public: they stand in tokens and 403 answers."""

    READ = "read"
    COORDINATE = "coordinate"
    VERIFY = "verify"
    CLAIMS_RELEASE_ANY = "claims.release_any"
    FREEZE = "freeze"
    REPOSITORIES_MANAGE = "repositories.manage"
    PROJECTS_MANAGE = "projects.manage"
    POLICY_EDIT = "policy.edit"
    TOKENS_MANAGE = "tokens.manage"
    MEMBERS_READ = "members.read"
    MEMBERS_MANAGE = "members.manage"
    AUDIT_READ = "audit.read"
    TEAM_MANAGE = "team.manage"


P = Permission
_VIEWER = frozenset({P.READ, P.MEMBERS_READ})
_MEMBER = _VIEWER | {P.COORDINATE, P.VERIFY}
_MAINTAINER = _MEMBER | {P.CLAIMS_RELEASE_ANY, P.FREEZE, P.REPOSITORIES_MANAGE}
_ADMIN = _MAINTAINER | {P.PROJECTS_MANAGE, P.POLICY_EDIT, P.TOKENS_MANAGE, P.MEMBERS_MANAGE, P.AUDIT_READ}

# The built-in roles (platform.md, "Teams, projects, people"), weakest first.
ROLES: Mapping[str, frozenset[Permission]] = {
    "viewer": _VIEWER,
    "member": _MEMBER,
    "maintainer": _MAINTAINER,
    "admin": _ADMIN,
    "owner": frozenset(Permission),
}

# What a token may be made for in one word (platform.md, "Tokens").
PRESETS: Mapping[str, frozenset[Permission]] = {
    "reader": frozenset({P.READ}),
    "ci": frozenset({P.READ, P.VERIFY}),
    "agent": frozenset({P.READ, P.COORDINATE, P.VERIFY}),
    "lead": frozenset({P.READ, P.COORDINATE, P.VERIFY, P.CLAIMS_RELEASE_ANY}),
    "admin": _ADMIN,
}
