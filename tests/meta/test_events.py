"""docs/events.md says what the services write: every type once, with the subject and the fields it has."""

import secrets
from collections.abc import Iterator
from uuid import UUID

import pytest

from coordination.engine.modes import Mode
from coordination.management.events import EVENTS, SECTIONS, unlisted
from coordination.services import (
    allocations,
    drains,
    events,
    freeze,
    instances,
    leases,
    messages,
    queue,
    sweeping,
    verify,
)
from coordination.services.requests import Change, ScopeRequest
from deploy.testing import ROOT
from tenants import auth, ids
from tenants.db import transaction
from tenants.principal import Principal
from tenants.services import members, projects, repositories, teams, tokens
from tests.making import Place, claim, make_place
from tests.services.guarding import session
from tests.tenants.people import join, make_person

pytestmark = pytest.mark.xdist_group("events")  # one story for all of them

Seen = dict[str, set[tuple[str, frozenset[str], bool]]]


def written(team_id: UUID) -> Seen:
    """What a team's ledger has: type -> (subject's kind, names in data, whether somebody finds it in an inbox)."""
    found: Seen = {}
    with transaction(team_id) as tx:
        rows = tx.run(
            "SELECT type, project_id, subject_kind, recipient, data FROM tenants_event WHERE team_id = %s", [team_id]
        ).fetchall()
    for row in rows:
        kind = "topic.<name>" if row["type"].startswith("topic.") else row["type"]
        told = row["recipient"] is not None
        found.setdefault(kind, set()).add((row["subject_kind"], frozenset(row["data"]), told))
        assert (row["project_id"] is None) == (EVENTS[kind].stream == "team"), kind
    return found


def shift(place: Place, statement: str, *values: object) -> None:
    """Let time pass for a row."""
    with transaction(place.team_id) as tx:
        tx.run(statement, [*values, place.team_id])


def claims_come_and_go(place: Place) -> None:
    """Granted, refused, renewed, narrowed, shared, revoked, given back."""
    ada, ben = place.agent("ada"), place.agent("ben")
    held = claim(ada, "src/auth/**")
    assert claim(ben, "src/auth/x.py").kind == "refused"
    assert leases.renew(ada, "main", held.body["id"], 3600).kind == "ok"
    leases.change(ada, "main", held.body["id"], scopes=(ScopeRequest("src/auth/x.py"),))
    leases.change(ada, "main", held.body["id"], mode=Mode.SHARED)
    leases.change(ada, "main", held.body["id"], mode=Mode.SHARED, scopes=(ScopeRequest("src/auth/x.py"),))
    assert claim(ben, "src/auth/x.py", mode="shared").body["coexists_with"]
    leases.release(place.owner, "main", held.body["id"])
    assert leases.renew(ada, "main", held.body["id"]).kind == "lost"
    leases.release(ada, "main", claim(ada, "other.py").body["id"])
    claim(ada, "committed.py")
    verify.verify(ada, "main", changes=(Change("committed.py", "1" * 40),), attest=True)
    number = allocations.allocate(ada, "main", pool="migration").body["id"]
    allocations.release(ada, "main", number)


def ground_lapses(place: Place) -> None:
    """Taken over by another, and swept."""
    ada, ben = place.agent("ada"), place.agent("ben")
    for path in ("taken.py", "swept.py"):
        held = ids.parse("clm", claim(ada, path).body["id"])
        shift(place, "UPDATE coordination_claim SET expires_at = created_at WHERE id = %s AND team_id = %s", held)
    assert claim(ben, "taken.py").body["took_over"]
    sweeping._expired(place.team_id, place.project_id)  # of this team: others may be in the middle of something


def waits_end(place: Place) -> None:
    """Granted, cancelled, overdue, given up by a circle."""
    ada, ben, cleo = place.agent("ada"), place.agent("ben"), place.agent("cleo")
    held = claim(ada, "q.py")
    claim(ben, "q.py", wait_seconds=0)
    leases.release(ada, "main", held.body["id"])
    drains.drain(place.team_id, place.project_id)
    cancelled, late = claim(cleo, "q.py", wait_seconds=0), claim(ada, "q.py", wait_seconds=0)
    queue.cancel(cleo, "main", cancelled.body["id"])
    overdue = ids.parse("que", late.body["id"])
    shift(place, "UPDATE coordination_queueentry SET deadline = enqueued_at WHERE id = %s AND team_id = %s", overdue)
    drains.drain(place.team_id, place.project_id)
    claim(ada, "circle/a.py"), claim(ben, "circle/b.py")
    claim(ada, "circle/b.py", wait_seconds=0)
    assert claim(ben, "circle/a.py", wait_seconds=0).kind == "deadlock"


def edits_are_guarded(place: Place) -> None:
    """A session, its probe, an edit of another's file, and one that slipped through."""
    ada, ben = session(place, "ada"), session(place, "ben")
    ada.edit(ada.start()["guard"]["probe"])
    ada.edit("guarded.py")
    assert ben.edit("guarded.py")["decision"] == "deny"
    ben.call("post_tool", dirty=("slipped/through.py",))


def a_grant_closes_a_circle(place: Place) -> None:
    """ben and cleo wait for ada's file; ben gets it, and waits for what cleo has."""
    ada, ben, cleo = place.agent("ada"), place.agent("ben"), place.agent("cleo")
    first = claim(ada, "one.py")
    claim(cleo, "two.py")
    claim(ben, "one.py", wait_seconds=0)
    claim(cleo, "one.py", wait_seconds=0)
    claim(ben, "two.py", wait_seconds=0)
    leases.release(ada, "main", first.body["id"])
    drains.drain(place.team_id, place.project_id)


def agents_live_and_talk(place: Place) -> None:
    """A run's life, its silence, and what it says."""
    ada = place.agent("ada", thread_id="t")
    handle = str(ada.instance)
    instances.register(ada, "main", agent="ada", thread_id="t")
    ada = ada.acting(instance=handle.partition(".")[0])
    instances.change(ada, "main", handle, intent="rest")
    silent = "UPDATE coordination_instance SET last_seen = last_seen - make_interval(secs => %s) WHERE team_id = %s"
    for seconds in (1900, 300):
        shift(place, silent, seconds)
        sweeping._silent(place.team_id, place.project_id)
    ben = place.agent("ben")
    sent = messages.post(ben, "main", to=handle, text="hello")
    messages.acknowledge(ada, "main", message_ids=(sent.body["id"],))
    events.publish_topic(ben, "main", "build.done", {"ok": True})
    instances.end(ben, "main", str(ben.instance))


def a_team_is_run(place: Place, owner: Principal) -> None:
    """Project, repositories, people, tokens."""
    freeze.freeze(owner, "main", "release day")
    freeze.thaw(owner, "main")
    projects.project_create(owner, slug="web", repository="main")
    projects.project_change(owner, "web", name="Website", policy={"idle_limit_seconds": 60})
    repositories.repository_create(owner, "web", slug="old")
    repositories.repository_change(owner, "web", "old", default_branch="trunk")
    repositories.repository_delete(owner, "web", "old")
    one = members.member_add(owner, email=make_person("Mel").email)
    members.member_change(owner, one["id"], role="admin")
    _, admin = join(place, "admin")
    for_admin = auth.principal_for_person(admin, place.slug)
    tokens.token_create(for_admin, name="mine", kind="personal", permissions=["read", "tokens.manage"])
    tokens.token_create(for_admin, name="manager", kind="personal", permissions=["tokens.manage"])
    found = [m for m in _members(owner) if m["person"] == f"per_{admin.pk}"]
    members.member_change(owner, found[0]["id"], role="member")
    members.member_remove(owner, found[0]["id"])
    tokens.token_revoke(owner, tokens.token_create(owner, name="CI", preset="ci")["id"])


def _members(owner: Principal) -> Iterator[dict[str, str]]:
    with transaction(owner.team_id) as tx:
        for row in tx.run(
            "SELECT id, person_id FROM tenants_membership WHERE team_id = %s", [owner.team_id]
        ).fetchall():
            yield {"id": ids.show("mem", row["id"]), "person": f"per_{row['person_id']}"}


@pytest.fixture(scope="module")
def seen() -> Seen:
    """What is written when everything happens that can happen."""
    found: Seen = {}
    plays = (claims_come_and_go, ground_lapses, waits_end, edits_are_guarded, a_grant_closes_a_circle)
    for play in (*plays, agents_live_and_talk):
        place = make_place()
        play(place)
        for kind, shapes in written(place.team_id).items():
            found.setdefault(kind, set()).update(shapes)
    person = make_person("Olive")
    made = teams.team_create(name="Acme", slug=f"acme-{secrets.token_hex(6)}", owner=person)
    owner = auth.principal_for_person(person, made["slug"])
    projects.project_create(owner, slug="main", repository="main")
    a_team_is_run(Place(owner.team_id, made["slug"], UUID(int=0), UUID(int=0)), owner)
    for kind, shapes in written(owner.team_id).items():
        found.setdefault(kind, set()).update(shapes)
    return found


def test_everything_that_is_written_is_in_the_catalogue_and_the_reverse() -> None:
    assert unlisted(ROOT) == []


def test_every_type_is_written_when_everything_happens(seen: Seen) -> None:
    assert set(seen) == set(EVENTS)


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_carries_what_the_catalogue_says(seen: Seen, kind: str) -> None:
    entry = EVENTS[kind]
    shapes = seen[kind]
    assert {names for _, names, _ in shapes} == {frozenset(example) for example in entry.examples}
    assert " or ".join(sorted({subject for subject, _, _ in shapes})) == entry.subject
    assert any(told for _, _, told in shapes) == bool(entry.inbox)


def test_no_type_stands_in_two_sections() -> None:
    assert sum(len(section) for section in SECTIONS.values()) == len(EVENTS)
