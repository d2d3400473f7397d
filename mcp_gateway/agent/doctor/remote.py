"""The way to the server, and what it says of this token, this project, this repository."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from mcp_gateway.agent import VERSION
from mcp_gateway.agent.doctor.base import STEP, Check, Desk, Verdict, fail, ok, warn
from mcp_gateway.agent.http import NotAllowed, Refused
from mcp_gateway.agent.transport import Exchange, proxy_for
from mcp_gateway.agent.wiring import places
from mcp_gateway.agent.wiring.places import NEEDED

LOCAL = ("localhost", "127.0.0.1", "::1")
SKEW = 60.0
"""Seconds between the two clocks that are worth a word."""
SOON = 7 * 24 * 3600.0


def address(desk: Desk) -> Verdict:
    """The shape of the address."""
    parts = urlsplit(desk.settings.url)
    try:
        named = parts.port
    except ValueError:
        return fail(f"{desk.settings.url} names a port that is none", "mend INTERLOCK_URL: `interlock init --url`")
    if named == 0 or not parts.hostname:
        return fail(f"{desk.settings.url} names no host and port", "mend INTERLOCK_URL: `interlock init --url`")
    if parts.scheme == "http" and parts.hostname not in LOCAL:
        return warn(
            f"{desk.settings.url} is plain http: the token can be read on the way", "use https in INTERLOCK_URL"
        )
    return ok(desk.settings.url)


def connect(desk: Desk) -> Verdict:
    """Name, port, certificate."""
    parts = urlsplit(desk.settings.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if proxy_for(parts.scheme, host, parts.port, desk.env) is not None:
        return ok("through a proxy of the environment")
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return fail(f"the name {host} is not known ({error.strerror or error})", "look at INTERLOCK_URL and at the DNS")
    return _open(host, port, secured=parts.scheme == "https", wait=min(STEP, desk.left))


def _open(host: str, port: int, *, secured: bool, wait: float) -> Verdict:
    try:
        with socket.create_connection((host, port), wait) as plain:
            if not secured:
                return ok(f"{host}:{port}")
            with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as wrapped:
                return ok(f"{host}:{port}, {wrapped.version()}")
    except ssl.SSLCertVerificationError as error:
        mend = "if a company's authority signed it, name its file in SSL_CERT_FILE; else tell who runs the server"
        return fail(f"the certificate of {host} is not accepted: {error.verify_message}", mend)
    except ssl.SSLError as error:
        return fail(
            f"no TLS with {host}:{port} ({error.reason or error})", "look whether INTERLOCK_URL should be http://"
        )
    except OSError as error:
        detail = f"{host}:{port} does not answer ({error.strerror or error})"
        return fail(detail, "start the server, look at INTERLOCK_URL, at the firewall and at the VPN")


def health(desk: Desk) -> Verdict:
    """Whether what answers is an Interlock, and ready."""
    status, headers, body = _get(desk, "/healthz")
    desk.facts["date"] = headers.get("date", "")
    if status != 200 or b'"ok"' not in body:
        return fail(f"/healthz answers {status}, and not as Interlock does", "look at INTERLOCK_URL, and for a proxy")
    status, _, _ = _get(desk, "/readyz")
    if status != 200:
        return fail("the server is up, and not ready (/readyz)", "tell who runs the server; it has no database")
    return ok("answers and is ready")


def clock(desk: Desk) -> Verdict:
    """How far the two clocks are apart. Leases go by the server's; times that are shown go by it, too."""
    try:
        away = (parsedate_to_datetime(desk.facts["date"]) - datetime.now(UTC)).total_seconds()
    except (KeyError, ValueError, TypeError):
        return warn("the server sends no date", "tell who runs the server")
    if abs(away) > SKEW:
        which = "behind" if away > 0 else "ahead of"
        return warn(f"this clock is {abs(away):.0f} s {which} the server's", "set the clock, best by NTP")
    return ok(f"within {max(1, round(abs(away)))} s")


def version(desk: Desk) -> Verdict:
    """Whether client and server are of one version: the server offers the command that fits it."""
    _, headers, _ = _get(desk, "/agent/")
    found = re.search(r"interlock-([^-/]+)-", headers.get("location", ""))
    if found is None:
        return warn("the server does not say its version", "tell who runs the server")
    if found[1] != VERSION:
        detail = f"the server is {found[1]}, this command {VERSION}"
        return warn(detail, f"pip install {desk.settings.url}{headers['location']}")
    return ok(VERSION)


def token(desk: Desk) -> Verdict:
    """Whether the server takes the token, whose it is, and for how long."""
    try:
        me = desk.client.request("GET", "/api/v1/me").body
    except NotAllowed as error:
        return fail(f"not taken: {error}", "make a token on the dashboard, then `interlock init --token -`")
    desk.facts["me"] = me
    whose = f"{me['name']}, team {me['team']}" + (f", agent {me['agent']}" if me.get("agent") else "")
    ends = me.get("expires_at")
    if not ends:
        return ok(whose)
    left = (datetime.fromisoformat(ends) - datetime.now(UTC)).total_seconds()
    if left < SOON:
        return warn(f"{whose}; it ends {ends}", "make a new one on the dashboard, then `interlock init --token -`")
    return ok(f"{whose}, until {ends[:10]}")


def scopes(desk: Desk) -> Verdict:
    """Whether the token may do what is wired."""
    has = desk.facts["me"]["scopes"]
    lacks = [scope for scope in NEEDED if scope not in has]
    mend = "make a token with the preset `agent`, then `interlock init --token -`"
    if lacks == ["verify"]:
        return warn("lacks verify: git hooks cannot check commits", mend)
    return fail(f"lacks {', '.join(lacks)}", mend) if lacks else ok(", ".join(sorted(has)))


def project(desk: Desk) -> Verdict:
    """Whether the project is there for the token, and what its guard does."""
    settings, me = desk.settings, desk.facts["me"]
    if me["team"] != settings.team or me.get("project") not in (None, settings.project):
        mine = f"{me['team']}/{me['project'] or '*'}"
        return fail(f"the token is for {mine}, the settings say {settings.team}/{settings.project}", "interlock init")
    try:
        found: dict[str, Any] = desk.client.request("GET", f"T/projects/{settings.project}").body
    except Refused as error:
        return fail(f"{settings.team}/{settings.project}: {error}", "interlock init --project team/project")
    if found.get("frozen"):
        since = found["frozen"].get("since", "")
        return warn(f"frozen since {since}: nothing is granted", "wait, or ask who froze it (dashboard)")
    policy = found.get("policy", {}).get("guard_policy", "")
    if policy == "observe":
        return warn("the guard only records (policy observe)", "set the policy auto-claim on the dashboard")
    return ok(f"{settings.team}/{settings.project}" + (f", guard {policy}" if policy else ""))


def matched(desk: Desk) -> Verdict:
    """Whether the checkout is the repository that the settings mean."""
    known = places.pages(desk.client, "repositories")
    remotes = places.remotes_of(desk.checkout)
    slug, found = desk.settings.repository, places.match(known, remotes)
    default = next((each for each in known if each["is_default"]), None)
    meant = next((each for each in known if each["slug"] == slug), None) if slug else default
    mend = "interlock init --repository SLUG"
    if meant is None:
        listed = ", ".join(each["slug"] for each in known) or "none"
        return fail(f"the project has no repository {slug or 'by default'}; there is: {listed}", mend)
    if found is not None and found["slug"] != meant["slug"]:
        return fail(f"the remote is {found['slug']}'s, the settings mean {meant['slug']}", mend)
    if found is None and remotes and meant["remote"]:
        return warn(f"{meant['slug']} is {meant['remote']}, this checkout is of {remotes[0]}", mend)
    return ok(f"{meant['slug']}" + (f" ({meant['remote']})" if meant["remote"] else ""))


def _get(desk: Desk, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers in lower case and body of a public path. Without the token: it is nobody's business there."""
    exchange = Exchange("GET", desk.settings.url + path, {"Accept": "application/json"}, None, min(STEP, desk.left))
    try:
        response = exchange.send()
        body = exchange.read(response)
        return response.status, {name.lower(): value for name, value in response.headers.items()}, body
    finally:
        exchange.close()


def _reachable(look: Callable[[Desk], Verdict]) -> Callable[[Desk], Verdict]:
    def looked(desk: Desk) -> Verdict:
        try:
            return look(desk)
        except OSError as error:
            return fail(str(error), "see `connect`; try again")

    return looked


CHECKS = [
    Check("url", "address", address, ("config",)),
    Check("connect", "the way to the server", connect, ("url",)),
    Check("health", "the server", _reachable(health), ("connect",)),
    Check("clock", "clocks", clock, ("health",)),
    Check("version", "versions", _reachable(version), ("health",)),
    Check("token", "the token", token, ("health",)),
    Check("scopes", "what the token may do", scopes, ("token",)),
    Check("project", "the project", project, ("token",)),
    Check("matched", "the repository in the project", matched, ("repository", "project", "token")),
]
