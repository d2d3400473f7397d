"""Signing in and out through the real server, and everything that must not work."""

import pytest
from django.conf import settings

from tests.dashboard.visiting import Visitor, fresh_address, signed_in
from tests.tenants.people import PASSWORD, join, make_person

WRONG = "The email address and/or password you specified are not correct."


@pytest.fixture
def visitor(web):
    return Visitor(web.url, address=fresh_address())


@pytest.fixture
def person():
    return make_person("Ada", signs_in=True)


def sign_in(visitor: Visitor, email: str, password: str, status: int = 302, path: str = "/sign-in/"):
    visitor.get(path)
    return visitor.post(path, {"login": email, "password": password}, status)


def test_a_person_signs_in_sees_their_projects_and_signs_out(visitor, person, place):
    join(place, "member", person=person)
    visitor.get("/", 302)
    assert visitor.last.headers["Location"] == "/sign-in/?next=/"
    sign_in(visitor, person.email.upper(), PASSWORD)
    assert visitor.last.headers["Location"] == "/"
    page = visitor.get("/")
    assert f"/t/{place.slug}/p/main/" in page.links()
    visitor.post("/sign-out/", {}, 302)
    assert visitor.last.headers["Location"] == "/sign-in/"
    visitor.get("/", 302)
    assert "You are signed out." in visitor.get("/sign-in/").text


def test_the_session_cookie_is_out_of_scripts_reach_and_new_with_every_sign_in(visitor, person):
    planted = "planted0by0somebody0else00000000"
    visitor.set_cookie(settings.SESSION_COOKIE_NAME, planted)
    sign_in(visitor, person.email, PASSWORD)
    [cookie] = [c for c in visitor.last.headers.get_list("Set-Cookie") if c.startswith(settings.SESSION_COOKIE_NAME)]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    first = visitor.http.cookies[settings.SESSION_COOKIE_NAME]
    assert first != planted
    visitor.post("/sign-out/", {}, 302)
    sign_in(visitor, person.email, PASSWORD)
    assert visitor.http.cookies[settings.SESSION_COOKIE_NAME] != first


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(visitor, person):
    for email, password in ((person.email, "wrong"), ("nobody@example.com", PASSWORD)):
        assert WRONG in sign_in(visitor, email, password, 200).text
        assert settings.SESSION_COOKIE_NAME not in visitor.http.cookies
    visitor.get("/", 302)


def test_who_was_deactivated_is_out_at_the_next_request(web, visitor, person):
    inside = signed_in(web.url, person)
    inside.get("/")
    type(person).objects.filter(pk=person.pk).update(is_active=False)
    inside.get("/", 302)
    sign_in(visitor, person.email, PASSWORD, 302)
    assert visitor.last.headers["Location"] == "/accounts/inactive/"
    visitor.get("/accounts/inactive/")
    visitor.get("/", 302)


def test_a_changed_password_ends_every_other_session(web, person):
    here, elsewhere = signed_in(web.url, person), signed_in(web.url, person)
    here.get("/accounts/password/change/")
    new = "an-entirely-new-one"
    here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new}, 302)
    here.get("/")
    elsewhere.get("/", 302)


def test_guessing_is_stopped_after_a_few_tries_also_when_the_last_guess_is_right(visitor, person):
    for _ in range(5):
        assert WRONG in sign_in(visitor, person.email, "guess", 200).text
    assert "Too many failed login attempts" in sign_in(visitor, person.email, PASSWORD, 200).text


def test_after_signing_in_one_arrives_where_one_was_going_but_never_at_another_site(web, person):
    for wanted, arrived in (
        ("/t/x/p/y/", "/t/x/p/y/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
    ):
        visitor = Visitor(web.url, address=fresh_address())
        page = visitor.get("/sign-in/", params={"next": wanted})
        sent = {"login": person.email, "password": PASSWORD}
        if page.all("input", name="next"):
            sent["next"] = page.value("next")
        visitor.post(f"/sign-in/?next={wanted}", sent, 302)
        assert visitor.last.headers["Location"] == arrived


def test_a_form_without_its_token_is_refused_kindly(visitor, person):
    response = visitor.http.post("/sign-in/", data={"login": person.email, "password": PASSWORD})
    assert response.status_code == 403
    assert "That form was too old" in response.text
    assert settings.SESSION_COOKIE_NAME not in visitor.http.cookies


def test_a_password_reset_does_not_tell_who_has_an_account(visitor, person):
    told = []
    for email in (person.email, "nobody@example.com"):
        visitor.get("/accounts/password/reset/")
        visitor.post("/accounts/password/reset/", {"email": email}, 302)
        told.append(visitor.get(visitor.last.headers["Location"]).text)
    assert told[0] == told[1]
    assert "Look in your mail" in told[0]


def test_sign_up_is_closed_unless_the_deployment_opens_it(visitor):
    page = visitor.get("/accounts/signup/")
    assert not page.all("input", name="password1")
    visitor.get("/sign-in/")
    visitor.post(
        "/accounts/signup/", {"email": "x@example.com", "password1": "a-good-one-1", "password2": "a-good-one-1"}
    )
    assert not type(make_person()).objects.filter(email="x@example.com").exists()
    assert "/accounts/signup/" not in visitor.get("/sign-in/").links()


def test_account_pages_are_in_our_clothes_and_need_a_sign_in(web, visitor, person):
    inside = signed_in(web.url, person)
    for path in ("/accounts/email/", "/accounts/password/change/", "/sign-out/"):
        page = inside.get(path)
        assert "Interlock" in page.text and page.all("link", rel="stylesheet")
        visitor.get(path, 302)
    visitor.get("/accounts/login/?next=/t/", 302)
    assert visitor.last.headers["Location"] == "/sign-in/?next=/t/"
