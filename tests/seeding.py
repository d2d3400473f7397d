"""Many claims at once, by COPY: what tests of query plans and the benchmarks measure against."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg import sql

from coordination.engine.locks import plan
from tenants import ids
from tenants.permissions import PRESETS
from tenants.principal import Actor, Principal
from tests.making import Place

_HOURS = 4
_INSTANCE = (
    "id, team_id, project_id, agent_id, agent_name, root_id, credential, epoch, status, tool, model, host, worktree,"
    " branch, capabilities, intent, lane, inbox_cursor, registered_at, last_seen, ended_at"
)
_AGENT = "id, team_id, project_id, name, created_at"
_PROJECT = (
    "id, team_id, slug, name, idle_limit_s, grace_s, max_ttl_s, max_claims_per_agent, max_queued_per_agent,"
    " takeover_needs_reason, frozen_by, frozen_reason, version, created_at"
)
_CLAIM = (
    "id, team_id, project_id, holder_id, instance_id, state, mode, fence, scopes, reason, branch, task, narrowable,"
    " ttl_s, created_at, expires_at, offered, ended_by, took_over, lock_keys, lock_exclusive"
)
_GROUND = "id, team_id, project_id, root, prefix, pattern, scope, alternative, fold, claim_id, holder_id, mode, active"
_EVENT = (
    "team_id, project_id, seq, type, at, door, actor_kind, actor_id, actor_name, subject_kind, subject_id,"
    " request_id, address, data"
)


_ATTESTATION = (
    "id, team_id, project_id, repository_id, path, blob, patch, claim_id, fence, instance_id, agent_name, credential,"
    " branch, task, created_at"
)


def seeded_path(number: int, directories: int = 1000) -> str:
    """The path that the claim of this number holds: files are dealt out to the directories in turn."""
    return f"seeded/d{number % directories:05d}/f{number:07d}.py"


def seed_agents(
    owner_dsn: str, place: Place, count: int, *, name: str = "seeded", ended: bool = False
) -> list[Principal]:
    """Registered runs, each of a credential of its own, as the principals that act for them."""
    now = datetime.now(UTC)
    agent_id = ids.new_id()
    runs = [(ids.new_id(), ids.show("tok", ids.new_id())) for _ in range(count)]
    state = ("ended" if ended else "active", *("",) * 5, [], "", "", 0, now, now, now if ended else None)
    rows = (
        (run, place.team_id, place.project_id, agent_id, name, run, credential, 1, *state) for run, credential in runs
    )
    with psycopg.connect(owner_dsn) as connection:
        called = f"{name}-{agent_id.hex[:12]}"
        _copy(connection, "coordination_agent", _AGENT, [(agent_id, place.team_id, place.project_id, called, now)])
        _copy(connection, "coordination_instance", _INSTANCE, rows)
    return [
        Principal(
            place.team_id,
            place.slug,
            Actor("token", credential, f"{name}'s token"),
            PRESETS["agent"],
            instance=f"{ids.show('ins', run)}.1",
        )
        for run, credential in runs
    ]


def seed_claims(
    owner_dsn: str,
    place: Place,
    count: int,
    *,
    directories: int = 1000,
    holder: UUID | None = None,
    holders: int = 100,
) -> None:
    """``count`` held claims, each on one file (``seeded_path``), of one holder or dealt out to many new ones.

    Statistics are brought up to date. 100,000 take a few seconds.
    """
    if holder is None:
        held_by = [_holder_id(one) for one in seed_agents(owner_dsn, place, holders)]
    else:
        held_by = [holder]
    claims = [ids.new_id() for _ in range(count)]
    with psycopg.connect(owner_dsn) as connection:
        row = connection.execute(
            "SELECT setval('coordination_fence', nextval('coordination_fence') + %s)", [count]
        ).fetchone()
        assert row is not None
        first_fence = row[0] - count
        _copy(connection, "coordination_claim", _CLAIM, _claims(place, claims, held_by, directories, first_fence))
        _copy(connection, "coordination_ground", _GROUND, _grounds(place, claims, held_by, directories))
    analyze(owner_dsn)


def seed_events(owner_dsn: str, place: Place, count: int) -> None:
    """Published events, as many claims leave behind; statistics are brought up to date."""
    now = datetime.now(UTC)
    stream, said = (place.team_id, place.project_id), (now, "rest", "token", "tok_seeded", "seeded", "claim")
    rows = ((*stream, seq, "claim.granted", *said, f"clm_{seq}", "", "", "{}") for seq in range(1, count + 1))
    with psycopg.connect(owner_dsn) as connection:
        _copy(connection, "tenants_event", _EVENT, rows)
        connection.execute(
            "INSERT INTO tenants_ledgerhead (id, team_id, project_id, last_seq, oldest_seq) VALUES (%s, %s, %s, %s, 1)",
            [ids.new_id(), place.team_id, place.project_id, count],
        )
    analyze(owner_dsn)


def seed_attestations(owner_dsn: str, places: Sequence[Place], count: int) -> None:
    """``count`` attestations in each team, of ``seeded_path``s; statistics are brought up to date."""
    now = datetime.now(UTC)
    rows = (
        (ids.new_id(), p.team_id, p.project_id, p.repository_id, seeded_path(n), f"{n:040x}", f"{n:064x}", ids.new_id(),
         n, ids.new_id(), "a", "tok_seeded", "", "", now)
        for p in places for n in range(count)
    )  # fmt: skip
    with psycopg.connect(owner_dsn) as connection:
        _copy(connection, "coordination_attestation", _ATTESTATION, rows)
    analyze(owner_dsn)


def seed_small_teams(owner_dsn: str, count: int) -> list[Place]:
    """Teams with one run and one claim each: what makes an average team look small to the planner."""
    now = datetime.now(UTC)
    teams = [Place(ids.new_id(), f"small-{ids.new_id().hex}", ids.new_id(), ids.new_id()) for _ in range(count)]
    policy = (1800, 300, 259_200, 0, 0, False, "", "", 1, now)
    idle = (*("",) * 5, [], "", "", 0, now, now, None)
    with psycopg.connect(owner_dsn) as connection:
        copy = partial(_copy, connection)
        copy("tenants_team", "id, slug, name, created_at", ((t.team_id, t.slug, t.slug, now) for t in teams))
        copy("tenants_project", _PROJECT, ((t.project_id, t.team_id, "main", "Main", *policy) for t in teams))
        # One id for a team's run, its agent and its claim will do.
        run = dict(zip(teams, (ids.new_id() for _ in teams), strict=True))
        copy("coordination_agent", _AGENT, ((run[t], t.team_id, t.project_id, "a", now) for t in teams))
        copy(
            "coordination_instance",
            _INSTANCE,
            (
                (run[t], t.team_id, t.project_id, run[t], "a", run[t], f"tok_{run[t].hex}", 1, "active", *idle)
                for t in teams
            ),
        )
        copy("coordination_claim", _CLAIM, (row for t in teams for row in _claims(t, [run[t]], [run[t]], 1, 0)))
        copy("coordination_ground", _GROUND, (row for t in teams for row in _grounds(t, [run[t]], [run[t]], 1)))
    return teams


def analyze(owner_dsn: str) -> None:
    """Bring the planner's statistics up to date."""
    with psycopg.connect(owner_dsn, autocommit=True) as connection:
        connection.execute(
            "VACUUM (ANALYZE) coordination_claim, coordination_ground, coordination_instance, tenants_event,"
            " coordination_attestation"
        )


def unseed(owner_dsn: str, *places: Place) -> None:
    """Remove teams' claims and events again, so that what runs after this does not work around them."""
    teams = [place.team_id for place in places]
    with psycopg.connect(owner_dsn) as connection:
        for table in (
            "coordination_attestation",
            "coordination_ground",
            "coordination_claim",
            "tenants_event",
            "tenants_ledgerhead",
        ):
            statement = sql.SQL("DELETE FROM {} WHERE team_id = ANY(%s)").format(sql.Identifier(table))
            connection.execute(statement, [teams])
    analyze(owner_dsn)


def _claims(
    place: Place, claims: Sequence[UUID], held_by: Sequence[UUID], directories: int, first_fence: int
) -> Iterable[tuple[Any, ...]]:
    now = datetime.now(UTC)
    ends = now + timedelta(hours=_HOURS)
    for number, claim in enumerate(claims):
        path = seeded_path(number, directories)
        keys = plan([(str(place.repository_id), path)])
        shown = orjson.dumps([{"n": 0, "repository": "main", "pattern": path, "kind": ""}]).decode()
        holder = held_by[number % len(held_by)]
        who = (claim, place.team_id, place.project_id, holder, holder)
        terms = ("held", "exclusive", first_fence + number, shown, "", "", "", True, _HOURS * 3600, now, ends)
        yield (*who, *terms, False, "", "[]", [key.key for key in keys], [key.exclusive for key in keys])


def _grounds(
    place: Place, claims: Sequence[UUID], held_by: Sequence[UUID], directories: int
) -> Iterable[tuple[Any, ...]]:
    for number, claim in enumerate(claims):
        path = seeded_path(number, directories)
        holder = held_by[number % len(held_by)]
        where = (place.team_id, place.project_id, place.repository_id, path, path)
        yield (ids.new_id(), *where, 0, 0, False, claim, holder, "exclusive", True)


def _copy(connection: "psycopg.Connection[Any]", table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
    names = sql.SQL(", ").join(sql.Identifier(name.strip()) for name in columns.split(","))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def _holder_id(principal: Principal) -> UUID:
    found = ids.parse("ins", (principal.instance or "").partition(".")[0])
    assert found is not None
    return found
