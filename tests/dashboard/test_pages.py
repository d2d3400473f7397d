"""The dashboard's pages: what they show, to whom, and what they refuse, through the real server."""

import re

import pytest

from tenants import auth
from tenants.auth import principal_for_token
from tenants.db import transaction
from tenants.models import Membership, Project, Token
from tenants.permissions import ROLES, Permission
from tenants.problems import Problem
from tenants.selectors.tokens import token_list
from tenants.services.projects import project_create
from tenants.services.tokens import token_create
from tests.dashboard.visiting import Visitor, signed_in
from tests.making import claim
from tests.tenants.people import join, make_person, make_team

MAY_MANAGE_TOKENS = [name for name, granted in ROLES.items() if Permission.TOKENS_MANAGE in granted]


def member(web, place, role: str) -> Visitor:
    person = make_person(role.title())
    join(place, role, person=person)
    return signed_in(web.url, person)


# Home


def test_home_shows_ones_teams_and_projects_with_how_busy_they_are(web, place):
    visitor = member(web, place, "viewer")
    a, b = place.agent("backend-codex"), place.agent("web-claude")
    claim(a, "src/auth")
    claim(a, "docs")
    claim(b, "src/auth/x.py", wait_seconds=0)
    make_team()
    page = visitor.get("/")
    assert page.all("h3") and f"{place.slug}/main" in page.text
    assert re.findall(r"(Agents here|Claims held|Waiting) (\d+)", page.text) == [
        ("Agents here", "2"),
        ("Claims held", "2"),
        ("Waiting", "1"),
    ]
    assert len([link for link in page.links() if link.startswith("/t/")]) == 1


def test_who_belongs_to_no_team_is_told_what_to_do(web):
    person = make_person("Lone")
    page = signed_in(web.url, person).get("/")
    assert "You belong to no team yet" in page.text and person.email in page.text


def test_a_team_without_a_project_says_so(web, place):
    visitor = member(web, place, "owner")
    with transaction(place.team_id):
        Project.objects.all().update(slug="gone")
    assert "gone" in visitor.get("/").text
    person = make_person()
    from tenants.services.teams import team_create

    team_create(name="Empty", slug=f"e-{place.slug[2:]}", owner=person)
    assert "No project yet" in signed_in(web.url, person).get("/").text


# A project


@pytest.mark.parametrize("role", list(ROLES))
def test_every_role_sees_the_project_with_agents_claims_queue_and_events(web, place, role):
    visitor = member(web, place, role)
    a = place.agent("backend-codex", tool="codex", intent="Signed cookies", lane="backend")
    b = place.agent("web-claude")
    claim(a, "src/auth", reason="sessions become cookies", branch="feat/cookies")
    claim(b, "src/auth/x.py", wait_seconds=0, urgency="high")
    claim(b, "src/auth/y.py")
    place.publish()
    page = visitor.get(f"/t/{place.slug}/p/main/")
    for shown in (
        "backend-codex", "Signed cookies", "sessions become cookies", "feat/cookies", "src/auth", "exclusive",
        "src/auth/x.py", "high", "web-claude was refused src/auth/y.py", "backend-codex claimed src/auth",
    ):  # fmt: skip
        assert shown in page.text, shown
    assert all(time["datetime"] and time["title"] for time in page.all("time"))
    tokens = f"/t/{place.slug}/settings/tokens/"
    assert (tokens in page.links()) == (role in MAY_MANAGE_TOKENS)


def test_a_project_without_agents_says_how_to_bring_in_the_first(web, place):
    page = member(web, place, "owner").get(f"/t/{place.slug}/p/main/")
    assert "Bring in the first agent" in page.text
    assert re.search(rf"pip install \S+\.whl interlock init --url \S+ --project {place.slug}/main", page.text)
    page = member(web, place, "viewer").get(f"/t/{place.slug}/p/main/")
    assert "Ask an admin of" in page.text


def test_what_agents_write_is_shown_as_text(web, place):
    a = place.agent("a", intent="<script>alert(1)</script>")
    claim(a, "src/<b>x", reason='"><img src=x onerror=alert(1)>')
    place.publish()
    page = member(web, place, "viewer").get(f"/t/{place.slug}/p/main/")
    assert not page.all("script") and not page.all("img") and not page.all("b")
    assert "<script>alert(1)</script>" in page.text and "src/<b>x" in page.text


def test_a_stranger_finds_no_such_team_and_nobody_is_sent_to_sign_in(web, place):
    stranger = member(web, make_team()[0], "owner")
    for path in (f"/t/{place.slug}/p/main/", f"/t/{place.slug}/settings/tokens/", "/t/absent/p/main/"):
        assert "There is no such team here." in stranger.get(path, 404).text
        Visitor(web.url).get(path, 302)
    stranger.post(f"/t/{place.slug}/settings/tokens/", {"name": "x", "preset": "agent"}, 404)
    mine = member(web, place, "owner")
    assert "There is no such project here." in mine.get(f"/t/{place.slug}/p/absent/", 404).text


def test_a_role_taken_away_is_gone_at_the_next_click(web, place):
    person = make_person()
    join(place, "admin", person=person)
    visitor = signed_in(web.url, person)
    visitor.get(f"/t/{place.slug}/settings/tokens/")
    with transaction(place.team_id):
        Membership.objects.filter(person=person).update(role="member")
    visitor.get(f"/t/{place.slug}/settings/tokens/", 403)
    with transaction(place.team_id):
        Membership.objects.filter(person=person).delete()
    visitor.get(f"/t/{place.slug}/p/main/", 404)


# Tokens


def form(visitor: Visitor, place, **wanted: str) -> tuple[str, dict[str, str]]:
    path = f"/t/{place.slug}/settings/tokens/"
    page = visitor.get(path)
    sent = {"name": "laptop", "preset": "agent", "project": "main", "agent": "", "expires": ""}
    return path, sent | {"once": page.value("once")} | wanted


@pytest.mark.parametrize("role", MAY_MANAGE_TOKENS)
def test_a_token_is_made_shown_once_and_works(web, place, role):
    visitor = member(web, place, role)
    path, sent = form(visitor, place)
    page = visitor.post(path, sent)
    [secret] = set(re.findall(r"ilk_agent_\w{32}_\w{8}", page.text))
    assert "no-store" in visitor.last.headers["Cache-Control"]
    principal = principal_for_token(secret)
    assert (principal.team_id, principal.project_id) == (place.team_id, place.project_id)
    assert secret not in visitor.get(path).text
    assert f"made just now by {role.title()}" in visitor.get(path).text


def test_sending_the_form_again_makes_no_second_token(web, place):
    visitor = member(web, place, "owner")
    path, sent = form(visitor, place)
    visitor.post(path, sent)
    visitor.post(path, sent, 302)
    assert "That form was sent before." in visitor.get(path).text
    visitor.post(path, sent | {"once": "made-up"}, 302)
    with transaction(place.team_id):
        assert Token.objects.count() == 1


@pytest.mark.parametrize("role", [role for role in ROLES if role not in MAY_MANAGE_TOKENS])
def test_other_roles_neither_see_nor_make_nor_revoke_tokens(web, place, role):
    _, owner = make_team()
    owner = owner.acting(team_id=place.team_id, team_slug=place.slug)
    made = token_create(owner, name="kept", preset="agent")
    visitor = member(web, place, role)
    path = f"/t/{place.slug}/settings/tokens/"
    assert "tokens.manage" in visitor.get(path, 403).text
    visitor.post(path, {"name": "x", "preset": "agent"}, 403)
    visitor.post(f"{path}{made['id']}/revoke/", {}, 403)
    assert [token["state"] for token in token_list(owner)["items"]] == ["active"]


def test_nobody_is_offered_what_they_lack_and_asking_anyway_is_refused(web, place):
    visitor = member(web, place, "admin")
    path, sent = form(visitor, place)
    offered = {option["value"] for option in visitor.get(path).all("option")}
    assert "admin" in offered
    page = visitor.post(path, sent | {"preset": "owner"}, 422)
    assert "Select a valid choice" in page.text


def test_a_mistake_is_shown_at_its_field_and_nothing_is_made(web, place):
    visitor = member(web, place, "owner")
    path, sent = form(visitor, place, name="", agent="no spaces please")
    page = visitor.post(path, sent, 422)
    assert page.all("input", name="name")[0]["aria-invalid"] == "true"
    path, sent = form(visitor, place, agent="no spaces please")
    page = visitor.post(path, sent, 422)
    assert "such as backend-codex" in page.text
    assert page.value("agent") == "no spaces please"
    with transaction(place.team_id):
        assert Token.objects.count() == 0


def test_a_token_is_revoked_from_the_list(web, place):
    visitor = member(web, place, "owner")
    path, sent = form(visitor, place, name="lost laptop")
    secret = re.search(r"ilk_agent_\w{32}_\w{8}", visitor.post(path, sent).text)[0]
    revoke = next(found["action"] for found in visitor.get(path).all("form") if "/revoke/" in (found["action"] or ""))
    visitor.post(revoke, {}, 302)
    page = visitor.get(path)
    assert "“lost laptop” is revoked." in page.text
    assert not any("/revoke/" in (found["action"] or "") for found in page.all("form"))
    auth.forget_token()
    with pytest.raises(Problem):
        principal_for_token(secret)
    visitor.post(f"{path}tok_{'0' * 26}/revoke/", {}, 404)


def test_an_empty_list_says_what_to_do(web, place):
    assert "No token yet" in member(web, place, "owner").get(f"/t/{place.slug}/settings/tokens/").text


def test_many_tokens_come_in_pages(web, place):
    _, owner = make_team()
    owner = owner.acting(team_id=place.team_id, team_slug=place.slug)
    for number in range(52):
        token_create(owner, name=f"number {number:02}", preset="reader")
    visitor = member(web, place, "owner")
    path = f"/t/{place.slug}/settings/tokens/"
    first = visitor.get(path)
    assert "number 51" in first.text and "number 01" not in first.text
    [more] = [link for link in first.links() if "cursor=" in link]
    second = visitor.get(path + more)
    assert "number 01" in second.text and "number 51" not in second.text
    visitor.get(f"{path}?cursor=made-up", 422)


# Everything else


def test_the_frozen_project_says_so(web, place):
    from coordination.services.freeze import freeze

    freeze(place.owner, "main", "release in progress")
    for path in ("/", f"/t/{place.slug}/p/main/"):
        assert "rozen" in member(web, place, "viewer").get(path).text
    assert "release in progress" in member(web, place, "viewer").get(f"/t/{place.slug}/p/main/").text


def test_a_second_project_is_listed_with_its_own_figures(web, place):
    visitor = member(web, place, "owner")
    project_create(place.owner, slug="second", name="Second <project>")
    page = visitor.get("/")
    assert "Second <project>" in page.text and f"/t/{place.slug}/p/second/" in page.links()


def test_addresses_that_do_not_exist_get_a_page(web, place):
    visitor = member(web, place, "viewer")
    for path in ("/nothing", f"/t/{place.slug}/", "/t/", "/accounts/nothing/", "/t/%00/p/main/"):
        visitor.http.headers["Accept"] = "text/html"
        page = visitor.get(path, 404)
        assert "/" in page.links()
    Visitor(web.url).get("/nothing", 404)


def test_the_stylesheet_is_served_and_has_both_themes(web):
    page = Visitor(web.url).get("/sign-in/")
    [sheet] = page.all("link", rel="stylesheet")
    response = Visitor(web.url).raw(sheet["href"])
    assert response.headers["Content-Type"].startswith("text/css")
    for part in ("prefers-color-scheme: dark", ":focus-visible", "prefers-reduced-motion", "forced-colors"):
        assert part in response.text
    # Colours are tokens: no literal one outside the two blocks that define them.
    rules = response.text.split("/* Ground */")[1]
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgb\(", rules)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_themes(web, scheme):
    """WCAG AA, 4.5 to 1, for every pair of text and ground the stylesheet puts together."""
    sheet = Visitor(web.url).raw("/static/dashboard/interlock.css").text
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in sheet.split("prefers-color", 1))
    tokens = light if scheme == "light" else light | dark
    pairs = [(text, ground) for text in ("ink", "muted", "link") for ground in ("paper", "surface", "raised")]
    pairs += [("ink", ground) for ground in ("accent-soft", "good-soft", "wait-soft", "bad-soft")]
    pairs += [("good", "good-soft"), ("wait", "wait-soft"), ("bad", "bad-soft"), ("bad", "surface"), ("wait", "raised")]
    pairs += [("accent-ink", "accent"), ("accent-ink", "accent-hover"), ("surface", "bad")]
    for text, ground in pairs:
        assert contrast(tokens[text], tokens[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
