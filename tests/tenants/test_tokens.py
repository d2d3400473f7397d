"""Tokens: their form, how they are looked up, what they may be made for, and how fast they stop working."""

import json
import re
from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from coordination import notify
from tenants import auth, ids, ledger, tokens
from tenants.auth import principal_for_token
from tenants.db import transaction
from tenants.models import Event, Project, Token
from tenants.permissions import PRESETS, ROLES, Permission
from tenants.problems import Code, Problem
from tenants.selectors.tokens import token_get, token_list
from tenants.services.members import member_change, member_remove
from tenants.services.tokens import token_create, token_revoke
from tests.tenants.people import as_app, as_owner, join, make_team


def refusal(call, *arguments, **named) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*arguments, **named)
    return caught.value


# The form


@pytest.mark.parametrize("kind", tokens.KINDS)
def test_a_token_has_a_prefix_for_scanners_and_a_checksum_for_typos(kind):
    text = tokens.mint(kind).text
    assert re.fullmatch(rf"ilk_{kind}_[0-9A-Za-z]{{32}}_[0-9a-f]{{8}}", text)
    assert tokens.well_formed(text)
    for place in range(len(text)):
        other = "y" if text[place] != "y" else "z"
        assert not tokens.well_formed(text[:place] + other + text[place + 1 :]), place


@pytest.mark.parametrize("text", ["", "ilk_", "x" * 5000, "ilk_agent_", "Bearer ilk", "ilk_ágent_é", "\x00"])
def test_a_malformed_token_is_refused_without_asking_the_database(text, monkeypatch):
    monkeypatch.setattr(auth, "_look_up", lambda digest: pytest.fail("asked the database"))
    problem = refusal(principal_for_token, text)
    assert (problem.status, problem.code) == (401, Code.UNAUTHENTICATED)
    assert "WWW-Authenticate" in problem.headers


def test_tokens_do_not_repeat_and_a_hint_gives_little_away():
    minted = [tokens.mint("agent") for _ in range(200)]
    assert len({secret.text for secret in minted}) == 200
    assert all(len(secret.hint.removeprefix("ilk_agent_")) <= 5 for secret in minted)


def test_the_secret_is_answered_once_and_stored_nowhere():
    place, owner = make_team()
    made = token_create(owner, name="laptop", preset="agent", project="main")
    secret = made["secret"]
    assert "secret" not in token_get(owner, made["id"])
    assert secret not in json.dumps(token_list(owner), default=str)
    ledger.publish(place.team_id, None)
    random_part = secret.split("_")[2]
    with as_owner() as connection:
        for table in ("tenants_token", "tenants_event"):
            found = connection.execute(f"SELECT t::text FROM {table} t WHERE team_id = %s", [place.team_id]).fetchall()
            assert found and not any(random_part in row for (row,) in found), table
        stored = connection.execute("SELECT digest FROM tenants_token WHERE team_id = %s", [place.team_id]).fetchone()
    assert bytes(stored[0]) == tokens.digest(secret)


# Looking up


def test_a_token_speaks_for_its_team_project_and_agent_and_no_more():
    place, owner = make_team()
    made = token_create(owner, name="laptop", preset="agent", project="main", agent="backend-codex")
    principal = principal_for_token(made["secret"], door="mcp", address="203.0.113.9")
    assert (principal.team_id, principal.team_slug) == (place.team_id, place.slug)
    assert (principal.project_id, principal.agent) == (place.project_id, "backend-codex")
    assert principal.permissions == PRESETS["agent"]
    assert (principal.actor.kind, principal.actor.id, principal.door) == ("token", made["id"], "mcp")


def test_an_unknown_token_is_refused():
    assert refusal(principal_for_token, tokens.mint("agent").text).code == Code.UNAUTHENTICATED


def test_a_token_expires_by_the_databases_clock():
    place, owner = make_team()
    made = token_create(owner, name="short", preset="ci", expires_in_seconds=3600)
    assert principal_for_token(made["secret"])
    with transaction(place.team_id):
        Token.objects.filter(id=ids.parse("tok", made["id"])).update(expires_at=timezone.now() - timedelta(seconds=1))
    auth.forget_token()
    assert refusal(principal_for_token, made["secret"]).code == Code.TOKEN_EXPIRED
    assert token_get(owner, made["id"])["state"] == "expired"
    assert token_list(owner, active_only=True)["items"] == []


def test_a_token_that_is_believed_still_expires_on_time(monkeypatch):
    """The memory of a checked token never outlives the token."""
    _, owner = make_team()
    made = token_create(owner, name="short", preset="ci", expires_in_seconds=3600)
    assert principal_for_token(made["secret"])
    later = auth.time.monotonic() + 3601
    monkeypatch.setattr(auth, "CACHE_SECONDS", 10_000)
    auth.forget_token()
    assert principal_for_token(made["secret"])
    monkeypatch.setattr(auth.time, "monotonic", lambda: later)
    assert refusal(principal_for_token, made["secret"]).code == Code.TOKEN_EXPIRED


# Revoking


def test_a_revoked_token_is_refused_at_the_next_call():
    _, owner = make_team()
    made = token_create(owner, name="lost", preset="agent")
    assert principal_for_token(made["secret"])
    assert token_revoke(owner, made["id"])["state"] == "revoked"
    assert refusal(principal_for_token, made["secret"]).code == Code.TOKEN_REVOKED


def test_revoking_twice_changes_nothing():
    place, owner = make_team()
    made = token_create(owner, name="lost", preset="agent")
    first, second = token_revoke(owner, made["id"]), token_revoke(owner, made["id"])
    assert first == second
    with transaction(place.team_id):
        assert Event.objects.filter(type="token.revoked", subject_id=made["id"]).count() == 1


def test_a_revocation_is_announced_to_every_process_with_its_commit():
    _, owner = make_team()
    made = token_create(owner, name="lost", preset="agent")
    with psycopg.connect(settings.LISTEN_DATABASE_URL, autocommit=True) as listener:
        listener.execute("LISTEN interlock")
        token_revoke(owner, made["id"])
        wanted = f"token:{ids.parse('tok', made['id'])}"
        for notice in listener.notifies(timeout=20):
            if wanted in json.loads(notice.payload):
                return
    pytest.fail("not announced")


@pytest.mark.race
def test_a_process_that_believes_a_token_forgets_it_when_another_process_revokes_it(monkeypatch):
    """With the time limit on belief taken away, only the announcement can explain the refusal."""
    place, owner = make_team()
    made = token_create(owner, name="lost", preset="agent")
    monkeypatch.setattr(auth, "CACHE_SECONDS", 10_000)
    woken = notify.threading.Event()
    key = f"token:{ids.parse('tok', made['id'])}"
    notify.hub.subscribe([key], woken.set)
    try:
        while not notify.hub.listening:
            woken.wait(0.05)
        woken.clear()
        assert principal_for_token(made["secret"])
        # Another process: it shares nothing with us but the database.
        with as_app() as other:
            other.execute("SELECT set_config('interlock.team', %s, true)", [str(place.team_id)])
            other.execute("UPDATE tenants_token SET revoked_at = now() WHERE id = %s", [ids.parse("tok", made["id"])])
            other.execute("SELECT pg_notify('interlock', %s)", [json.dumps([key])])
            assert principal_for_token(made["secret"])  # not before its commit
        assert woken.wait(20)
        assert refusal(principal_for_token, made["secret"]).code == Code.TOKEN_REVOKED
    finally:
        notify.hub.unsubscribe([key], woken.set)


# What a token may be made for


def test_nobody_grants_what_they_lack():
    place, _ = make_team()
    admin, _ = join(place, "admin")
    problem = refusal(token_create, admin, name="x", permissions=["read", "team.manage"])
    assert (problem.status, problem.extra["lacks"]) == (403, ["team.manage"])
    assert "team.manage" in problem.detail
    assert token_create(admin, name="x", permissions=["read"])["permissions"] == ["read"]


@pytest.mark.parametrize("role", ["viewer", "member", "maintainer"])
def test_making_listing_and_revoking_tokens_needs_the_permission(role):
    place, owner = make_team()
    made = token_create(owner, name="x", preset="agent")
    principal, _ = join(place, role)
    for call, arguments in ((token_create, {"name": "y", "preset": "reader"}), (token_list, {})):
        assert refusal(call, principal, **arguments).extra["lacks"] == ["tokens.manage"]
    assert refusal(token_revoke, principal, made["id"]).status == 403
    assert principal_for_token(made["secret"])


def test_a_credential_bound_to_a_project_or_agent_makes_only_tokens_with_the_same_binding():
    place, owner = make_team()
    with transaction(place.team_id):
        Project.objects.create(team_id=place.team_id, slug="other", name="Other")
    bound = principal_for_token(
        token_create(owner, name="bound", preset="admin", project="main", agent="lead")["secret"]
    )
    assert refusal(token_create, bound, name="x", preset="reader").status == 403
    assert refusal(token_create, bound, name="x", preset="reader", project="other").status == 404
    assert refusal(token_create, bound, name="x", preset="reader", project="main").status == 403
    assert refusal(token_create, bound, name="x", preset="reader", project="main", agent="else").status == 403
    made = token_create(bound, name="x", preset="reader", project="main", agent="lead")
    assert made["created_by"]["name"] == "bound"
    elsewhere = token_create(owner, name="elsewhere", preset="reader", project="other")
    assert {token["name"] for token in token_list(bound)["items"]} == {"bound", "x"}
    assert refusal(token_revoke, bound, elsewhere["id"]).status == 404


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"name": "x"}, "preset"),
        ({"name": "x", "preset": "agent", "permissions": ["read"]}, "preset"),
        ({"name": "x", "preset": "root"}, "preset"),
        ({"name": "x", "permissions": []}, "permissions"),
        ({"name": "x", "permissions": ["read", "fly"]}, "permissions"),
        ({"name": " ", "preset": "agent"}, "name"),
        ({"name": "a\nb", "preset": "agent"}, "name"),
        ({"name": "a\u202eb", "preset": "agent"}, "name"),
        ({"name": "x" * 121, "preset": "agent"}, "name"),
        ({"name": "x", "preset": "agent", "kind": "root"}, "kind"),
        ({"name": "x", "preset": "agent", "agent": "no spaces"}, "agent"),
        ({"name": "x", "preset": "agent", "agent": ""}, "agent"),
        ({"name": "x", "preset": "agent", "expires_in_seconds": 0}, "expires_in_seconds"),
        ({"name": "x", "preset": "agent", "expires_in_seconds": 10**18}, "expires_in_seconds"),
    ],
)
def test_bad_values_are_refused_by_field(arguments, field):
    _, owner = make_team()
    problem = refusal(token_create, owner, **arguments)
    assert (problem.code, [error.field for error in problem.errors]) == (Code.INVALID, [field])
    assert token_list(owner)["items"] == []


def test_only_people_have_personal_tokens():
    _, owner = make_team()
    service = principal_for_token(token_create(owner, name="s", preset="admin")["secret"])
    assert refusal(token_create, service, name="x", preset="reader", kind="personal").errors[0].field == "kind"


def test_a_personal_token_never_can_more_than_its_person():
    place, owner = make_team()
    admin, person = join(place, "admin")
    made = token_create(admin, name="mine", kind="personal", permissions=["read", "tokens.manage"])
    agent = token_create(admin, name="agent", preset="agent")
    assert principal_for_token(made["secret"]).allows(Permission.TOKENS_MANAGE)
    [member] = [m for m in members(owner) if m["person"]["email"] == person.email]
    member_change(owner, member["id"], role="viewer")
    assert principal_for_token(made["secret"]).permissions == {Permission.READ}
    member_remove(owner, member["id"])
    assert refusal(principal_for_token, made["secret"]).code == Code.TOKEN_REVOKED
    assert principal_for_token(agent["secret"])  # the team's, not theirs


def members(principal):
    from tenants.selectors.people import member_list

    return member_list(principal)["items"]


def test_lists_come_in_pages_newest_first():
    _, owner = make_team()
    made = [token_create(owner, name=f"t{number}", preset="reader")["name"] for number in range(5)]
    seen, cursor = [], None
    while True:
        page = token_list(owner, limit=2, cursor=cursor)
        seen += [token["name"] for token in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    for bad in ({"limit": 0}, {"limit": 201}, {"cursor": "tok_1"}, {"cursor": ""}):
        assert refusal(token_list, owner, **bad).code == Code.INVALID


def test_presets_and_roles_are_made_of_known_permissions_and_approve_is_in_no_agents_preset():
    assert all(granted <= ROLES["owner"] for granted in [*PRESETS.values(), *ROLES.values()])
    weakest_first = list(ROLES.values())
    assert all(a < b for a, b in pairwise(weakest_first))
