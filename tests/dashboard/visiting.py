"""A visitor of the dashboard: real HTTP with cookies, and a reader of pages that looks at them as a person must."""

import re
import secrets
from html.parser import HTMLParser
from typing import Any

import httpx
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from tenants.models import Person

# Elements without an end tag.
_VOID = {"meta", "link", "input", "br", "hr", "img", "path", "circle"}
_INLINE = {"a", "strong", "span", "code", "b", "time", "em", "var"}


class Page(HTMLParser):
    """What is on a page: elements with their attributes, and the text a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"not closed: {self._open}"
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs), f"twice the same attribute: {tag} {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in _INLINE:
            self.text += " "
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of every element of a kind, filtered by attribute values."""
        return [found for name, found in self.elements if name == tag and attributes.items() <= found.items()]

    def value(self, name: str, *, last: bool = False) -> str:
        """The value of a hidden or visible field; of the last one where a page has several forms."""
        return self.all("input", name=name)[-1 if last else 0]["value"] or ""

    def links(self) -> set[str]:
        """Where its links lead."""
        return {found["href"] or "" for found in self.all("a")}

    def check(self) -> None:
        """What every page owes everybody: structure, labels, and nothing the security policy would block."""
        assert [html["lang"] for html in self.all("html")] == ["en"]
        assert len(self.all("h1")) == 1 and len(self.all("main")) == 1 and len(self.all("title")) == 1
        assert self.all("main")[0]["id"] == "main"
        ids = [found["id"] for _, found in self.elements if "id" in found]
        assert len(ids) == len(set(ids)), ids
        labelled = {label.get("for") for label in self.all("label")}
        for tag in ("input", "select", "textarea"):
            for field in self.all(tag):
                assert field.get("type") == "hidden" or field["id"] in labelled, field
        for tag, found in self.elements:
            assert "style" not in found and not any(name.startswith("on") for name in found), (tag, found)
            assert tag != "style" and (tag != "script" or found.get("src", "").startswith("/static/")), tag
            for name in ("aria-labelledby", "aria-describedby"):
                assert set((found.get(name) or "").split()) <= set(ids), (tag, name, found)
            assert tag != "img" or "alt" in found
            assert tag != "form" or found.get("method") == "post"


class Visitor:
    """Somebody with a browser. Every page that comes is checked."""

    def __init__(self, url: str, *, address: str = "127.0.0.1") -> None:
        self.http = httpx.Client(base_url=url, timeout=60, transport=httpx.HTTPTransport(local_address=address))
        self.last: httpx.Response

    def __del__(self) -> None:
        self.http.close()

    def get(self, path: str, status: int = 200, **more: Any) -> Page:
        """Open a page."""
        return self._seen(self.http.get(path, **more), status)

    def post(self, path: str, data: dict[str, str], status: int = 200, **more: Any) -> Page:
        """Send a form, with the token that a page's form would send along."""
        token = self.http.cookies.get(settings.CSRF_COOKIE_NAME, "")
        sent = {"csrfmiddlewaretoken": token} | data
        headers = {"Referer": str(self.http.base_url)}
        return self._seen(self.http.post(path, data=sent, headers=headers, **more), status)

    def raw(self, path: str) -> httpx.Response:
        """Get what is no page."""
        return self.http.get(path)

    def set_cookie(self, name: str, value: str) -> None:
        """A cookie as the server would have set it."""
        self.http.cookies.set(name, value, domain=self.http.base_url.host)

    def _seen(self, response: httpx.Response, status: int) -> Page:
        self.last = response
        assert response.status_code == status, f"{response.request.url}: {response.status_code}\n{response.text[:2000]}"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert response.headers["X-Frame-Options"] == "DENY"
        page = Page(response.text)
        if response.status_code not in (301, 302):
            page.check()
        return page


def signed_in(url: str, person: Person) -> Visitor:
    """A visitor with a person's session, made past the sign-in form."""
    session = SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.save()
    visitor = Visitor(url)
    visitor.set_cookie(settings.SESSION_COOKIE_NAME, session.session_key or "")
    visitor.set_cookie(settings.CSRF_COOKIE_NAME, secrets.token_hex(16))
    return visitor


def fresh_address() -> str:
    """A loopback address nobody else uses: limits on failed sign-ins count per address."""
    return f"127.{1 + secrets.randbelow(200)}.{secrets.randbelow(250)}.{1 + secrets.randbelow(250)}"
