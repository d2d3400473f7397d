"""Wanted scopes, as the caller wrote them, into ground: name spaces, parsed patterns, and the lock plan."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from coordination.engine.ground import KINDS, Ground, Reach, split_kind, written
from coordination.engine.locks import LockKey, plan
from coordination.engine.patterns import Pattern, PatternError, Syntax, parse
from coordination.services.requests import ScopeRequest
from coordination.store.grounds import Place
from tenants import ids
from tenants.problems import Code, FieldError, Problem
from tenants.selectors.projects import ProjectRef, RepositoryRef

MAX_GROUNDS = 20_000
_MAX_ERRORS = 50
# In `paths` these characters mean themselves; stored patterns are all in the one syntax that can say everything.
_SPECIAL = re.compile(r"([\[\]{}\\])")


@dataclass(frozen=True, slots=True)
class Placed:
    """Ground ready to be decided on: engine grounds, their lock plan, and the scopes as they are shown and stored."""

    grounds: tuple[Ground, ...]
    shown: list[dict[str, Any]]
    plan: tuple[LockKey, ...]

    def places(self) -> list[Place]:
        """Where candidates for overlap are looked for."""
        return [Place(ground.root, ground.pattern.prefix) for ground in self.grounds]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What the reach of named ground depends on: the project, and the host and worktree of who asks."""

    project: ProjectRef
    repositories: Mapping[str, RepositoryRef]
    host: str = ""
    worktree: str = ""


def scoped_text(text: str, *, literal_syntax: bool) -> str:
    """A pattern in scope syntax: what is stored, shown, and can be sent back as ``scopes[].pattern``."""
    return _SPECIAL.sub(r"\\\1", text) if literal_syntax else text


def needs_whereabouts(scopes: Sequence[ScopeRequest]) -> bool:
    """Whether some scope reaches only as far as a host or a worktree."""
    return any(scope.pattern.startswith(("port:", "git:")) for scope in scopes)


def place(where: Whereabouts, scopes: Sequence[ScopeRequest], *, repository: str | None) -> Placed:
    """Find each scope's name space and parse its pattern. Raises 422 naming every bad scope at once."""
    if not scopes:
        raise _invalid([FieldError("paths", "empty", "name at least one path or scope")])
    grounds: list[Ground] = []
    shown: list[dict[str, Any]] = []
    errors: list[FieldError] = []
    for number, scope in enumerate(scopes):
        try:
            found, scope_shown = _place_one(where, scope, number, repository)
        except PatternError as error:
            errors.append(FieldError(scope.field, error.rule, f"{error.pattern!r}: {error.detail}"))
            continue
        grounds.extend(found)
        shown.append(scope_shown)
        if len(grounds) > MAX_GROUNDS:
            raise Problem(
                Code.LIMIT_EXCEEDED,
                f"One request may name {MAX_GROUNDS} patterns.",
                figure=len(grounds),
                limit=MAX_GROUNDS,
            )
    if errors:
        raise _invalid(errors)
    return Placed(tuple(grounds), shown, plan((ground.root, ground.pattern.prefix) for ground in grounds))


def _invalid(errors: list[FieldError]) -> Problem:
    first = errors[0]
    return Problem(
        Code.INVALID, f"{first.field}: {first.detail}", errors=errors[:_MAX_ERRORS], total_errors=len(errors)
    )


def _place_one(
    where: Whereabouts, scope: ScopeRequest, number: int, repository: str | None
) -> tuple[list[Ground], dict[str, Any]]:
    kind, name = split_kind(scope.pattern)
    syntax = Syntax.PATH if scope.literal_syntax else Syntax.SCOPE
    known = KINDS[kind]
    found = None
    if known.reach is Reach.REPOSITORY:
        found = _repository(where, scope, repository)
    fold = known.shared_space == "path" and found is not None and found.case_insensitive
    root = root_key(where, kind, found)
    if scope.literal_syntax:
        parse(name, syntax=syntax, fold=fold, exact=known.exact)  # judged as the caller meant it
    text = scoped_text(name, literal_syntax=scope.literal_syntax)
    patterns = parse(text, syntax=Syntax.SCOPE, fold=fold, exact=known.exact)
    excepts = tuple(p for e in scope.excepts for p in _except(kind, e, fold=fold))
    grounds = [Ground(root, pattern, excepts, number) for pattern in patterns]
    # A path says its kind only where it was needed to tell it from another.
    prefix = "" if kind == "path" and name == scope.pattern else f"{kind}:"
    text = prefix + (patterns[0].text if len(patterns) == 1 else text)
    return grounds, {"n": number, "repository": found.slug if found else None, "pattern": text, "kind": prefix}


def _except(kind: str, text: str, *, fold: bool) -> tuple[Pattern, ...]:
    word, name = split_kind(text)
    other = KINDS[word]
    if other.shared_space != KINDS[kind].shared_space:
        raise PatternError("except_of_another_kind", f"an exception of {kind} ground must be {kind} too", text)
    return parse(name, syntax=Syntax.SCOPE, fold=fold, exact=other.exact)


def _repository(where: Whereabouts, scope: ScopeRequest, default: str | None) -> RepositoryRef:
    wanted = scope.repository or default
    if wanted is not None:
        found = where.repositories.get(wanted)
        if found is None:
            names = ", ".join(sorted(where.repositories)) or "none yet"
            raise PatternError("unknown_repository", f"no repository {wanted!r} here; there is {names}", scope.pattern)
        return found
    for found in where.repositories.values():
        if found.is_default:
            return found
    raise PatternError("no_repository", "this project has no repository yet: POST repositories first", scope.pattern)


def root_key(where: Whereabouts, kind: str, repository: RepositoryRef | None) -> str:
    """The name space of a kind of ground, as a UUID in text: a repository's own id for paths, else a digest."""
    if KINDS[kind].shared_space == "path":
        assert repository is not None
        return str(repository.id)
    reach = KINDS[kind].reach
    parts = [kind, str(repository.id if repository else where.project.id)]
    if reach in (Reach.HOST, Reach.WORKTREE):
        parts.append(where.host)
    if reach is Reach.WORKTREE:
        parts.append(where.worktree)
    digest = hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return str(UUID(bytes=digest))


def ground_rows(grounds: Sequence[Ground]) -> list[dict[str, Any]]:
    """Ground as the rows that store.grounds writes."""
    counts: dict[int, int] = {}
    rows = []
    for ground in grounds:
        alternative = counts.get(ground.scope, 0)
        counts[ground.scope] = alternative + 1
        rows.append(
            {
                "id": ids.new_id(),
                "root": ground.root,
                "prefix": ground.pattern.prefix,
                "pattern": ground.pattern.text,
                "scope": ground.scope,
                "alternative": alternative,
                "fold": ground.pattern.fold,
                "exact": ground.pattern.exact,
            }
        )
    return rows


def except_rows(grounds: Sequence[Ground]) -> list[dict[str, Any]]:
    """The exceptions of some ground, each once per scope."""
    pairs = sorted({(ground.scope, written(taken)) for ground in grounds for taken in ground.excepts})
    return [{"id": ids.new_id(), "scope": scope, "pattern": text} for scope, text in pairs]
