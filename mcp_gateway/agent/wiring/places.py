"""Where a repository belongs: the team a token is of, the project it may work in, the repository of the project."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mcp_gateway.agent import git
from mcp_gateway.agent.git import GitError
from mcp_gateway.agent.http import Client, NotAllowed, Refused
from mcp_gateway.agent.output import EXIT_AWAY, UserError
from mcp_gateway.agent.repo import Checkout
from mcp_gateway.agent.settings import Settings, is_placeholder
from mcp_gateway.agent.wiring.asking import Asker
from mcp_gateway.agent.wiring.remotes import normalise

MANAGE = "repositories.manage"
NEEDED = ("read", "coordinate", "verify")
"""What an agent's token is asked for by what is wired: reading, claims and hooks, git hooks."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a checkout belongs.

    ``repository`` is the slug to ask for, empty for the project's default one; ``why`` says how it was found.
    """

    me: Mapping[str, Any]
    team: str
    project: str
    repository: str
    why: str

    @property
    def lacks(self) -> list[str]:
        """The permissions that the token lacks for what is wired."""
        return [scope for scope in NEEDED if scope not in self.me.get("scopes", ())]


def check_url(text: str) -> str:
    """The address of a server as it is kept. Raises UserError."""
    url = text.strip().rstrip("/")
    if is_placeholder(url) or not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
        raise UserError("The address must read https://host or http://host:port, without user, query or fragment.")
    return url


def check_token(text: str) -> str:
    """A token as it is kept. Raises UserError, which does not repeat it."""
    token = text.strip()
    if not token or is_placeholder(token) or not re.fullmatch(r"[\x21-\x7e]{8,512}", token):
        raise UserError("That is no token: it looks like ilk_agent_…. Make one on the dashboard, under Tokens.")
    return token


def check_agent(name: str, place: Place) -> str:
    """The name that runs go by, empty for none of their own. Raises UserError."""
    if name and not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,78}[A-Za-z0-9])?", name):
        raise UserError("--agent: a name has letters and digits, and . _ - within, at most 80.")
    bound = place.me.get("agent")
    if name and bound and name != bound:
        raise UserError(f"The token is bound to the agent {bound}, so runs here cannot be called {name}.")
    return name


def find(settings: Settings, checkout: Checkout, asker: Asker, *, project: str, repository: str) -> Place:
    """Ask the server who the token is and where the checkout belongs.

    ``project`` is ``team/project``, ``project`` or empty; ``repository`` a slug or empty.
    Raises UserError: unreachable, a token that is not taken, nothing that fits, nobody to choose.
    """
    try:
        me = Client(settings).request("GET", "/api/v1/me").body
    except NotAllowed as error:
        raise UserError(f"{settings.url} does not take this token: {error}", EXIT_AWAY) from None
    team, _, slug = project.rpartition("/")
    if team and team != me["team"]:
        raise UserError(f"The token is of the team {me['team']}, not of {team}. Use a token of {team}, or --project.")
    settings = replace(settings, team=me["team"])
    slug = _project(settings, me, slug, asker)
    settings = replace(settings, project=slug)
    found, why = _repository(settings, me, checkout, repository, asker)
    return Place(me, me["team"], slug, found, why)


def remotes_of(checkout: Checkout) -> list[str]:
    """The normalised addresses this checkout is cloned from, `origin` first."""
    try:
        names = git.run(["remote"], checkout.top, apart=True).decode("utf-8", "replace").split()
        found = []
        for name in sorted(names, key=lambda name: name != "origin"):
            told = git.run(["remote", "get-url", "--all", "--", name], checkout.top, apart=True)
            found += [normalise(line) for line in os.fsdecode(told).splitlines()]
    except GitError:
        return []
    return list(dict.fromkeys(remote for remote in found if remote))


def match(repositories: Sequence[Mapping[str, Any]], remotes: Sequence[str]) -> Mapping[str, Any] | None:
    """The repository a checkout is of, by its remotes, None where none of them is known."""
    for remote in remotes:
        for repository in repositories:
            if repository["remote"] == remote:
                return repository
    return None


def pages(client: Client, path: str) -> list[Any]:
    """Every item of a list of the API."""
    items: list[Any] = []
    cursor = None
    while True:
        page = client.request("GET", path, query={"limit": 200, "cursor": cursor}).body
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


def _project(settings: Settings, me: Mapping[str, Any], slug: str, asker: Asker) -> str:
    bound = me.get("project")
    if bound:
        if slug and slug != bound:
            raise UserError(f"The token is bound to the project {bound}, so it cannot work in {slug}.")
        return str(bound)
    known = [project["slug"] for project in pages(Client(settings), "T/projects")]
    if slug:
        if slug not in known:
            listed = ", ".join(known) or "none"
            raise UserError(f"The team {me['team']} has no project {slug} that this token may see; there is: {listed}.")
        return slug
    if not known:
        raise UserError(f"The team {me['team']} has no project yet. Make one on the dashboard, then run this again.")
    if len(known) == 1:
        return str(known[0])
    return str(known[asker.choice("The team has several projects.", known, "--project")])


def _repository(
    settings: Settings, me: Mapping[str, Any], checkout: Checkout, slug: str, asker: Asker
) -> tuple[str, str]:
    known = pages(Client(settings), "repositories")
    if slug:
        if slug not in [repository["slug"] for repository in known]:
            listed = ", ".join(repository["slug"] for repository in known) or "none"
            raise UserError(f"The project {settings.project} has no repository {slug}; there is: {listed}.")
        return slug, "as asked for"
    remotes = remotes_of(checkout)
    found = match(known, remotes)
    default = next((repository for repository in known if repository["is_default"]), None)
    if found is not None:
        return ("" if found is default else found["slug"]), f"{found['slug']}, by its remote {found['remote']}"
    if default is None and not known:
        raise UserError(f"The project {settings.project} has no repository yet. Add this one on the dashboard.")
    if default is not None and (not remotes or not default["remote"]):
        which = "this checkout has no remote" if not remotes else "it has no remote to compare"
        return "", f"{default['slug']}, the project's default; {which}"
    return _unknown(settings, me, known, remotes[0] if remotes else "", asker)


def _unknown(
    settings: Settings, me: Mapping[str, Any], known: Sequence[Mapping[str, Any]], remote: str, asker: Asker
) -> tuple[str, str]:
    """None of the project's repositories has this remote: a person says what is meant."""
    options = [f"{each['slug']}  ({each['remote'] or 'without a remote'})" for each in known]
    may = asker.terminal and MANAGE in me.get("scopes", ()) and remote
    if may:
        options.append(f"add {remote} to the project")
    elif not asker.terminal:
        options.append(f"or add {remote or 'this repository'} to the project on the dashboard, then run this again")
    chosen = asker.choice(f"No repository of {settings.project} has the remote {remote}.", options, "--repository")
    if chosen < len(known):
        return known[chosen]["slug"], f"{known[chosen]['slug']}, as chosen"
    made = _add(settings, remote)
    return made, f"{made}, added with its remote {remote}"


def _add(settings: Settings, remote: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", remote.rpartition("/")[2].lower()).strip("-")[:40] or "repository"
    answer = Client(settings).request("POST", "repositories", {"slug": slug, "remote": remote})
    if answer.refused:
        raise Refused(answer.body, answer.status)
    return str(answer.body["slug"])
