"""The one table of routes: router, OpenAPI document, docs page and permission matrix are made from it
(api.md).
"""

from collections.abc import Mapping
from typing import Any

from coordination.api.call import Handler, Route
from coordination.api.handlers import agents, claims, guard, news, people, repositories, teams
from coordination.api.schemas import agents as agent
from coordination.api.schemas import checks
from coordination.api.schemas import claims as ground
from coordination.api.schemas import guard as guarded
from coordination.api.schemas import news as told
from coordination.api.schemas import people as person
from coordination.api.schemas import teams as team
from coordination.api.schemas.base import Nothing, Paged, Reply
from tenants.permissions import Permission as P

_T = "/teams/{team}"
_P = "/teams/{team}/projects/{project}"

Responses = Mapping[int, type[Reply] | None]


class Table:
    """Collects rows. A route is named, and summed up, by its handler; sections become tags."""

    def __init__(self) -> None:
        self.rows: list[Route] = []
        self.tag = ""

    def section(self, tag: str) -> None:
        """The rows that follow belong to this tag."""
        self.tag = tag

    def add(self, verb: str, handler: Handler, needs: tuple[P, ...], responses: Responses, **more: Any) -> None:
        """One row. ``verb`` is method and path; every POST takes an idempotency key, and an empty body by
        default.
        """
        method, path = verb.split(" ")
        if method == "POST":
            more.setdefault("body", Nothing)
        name = handler.__name__
        summary = (handler.__doc__ or "").split("\n")[0].rstrip(".")
        idempotent = method == "POST"
        self.rows.append(
            Route(
                method,
                path,
                name,
                handler,
                needs,
                summary,
                responses,
                (self.tag,),
                idempotent=idempotent,
                **more,
            )
        )


_table = Table()
_section, _add = _table.section, _table.add
_NOBODY: tuple[P, ...] = ()
_READ = (P.READ,)
_WORK = (P.COORDINATE,)

_section("Teams and projects")
_add("GET /me", teams.me, _NOBODY, {200: team.Me}, query=team.MeQuery)
_add("GET /teams", teams.team_list, _NOBODY, {200: team.TeamPage})
_add(f"GET {_T}", teams.team_get, _READ, {200: team.Team})
_add(f"GET {_T}/projects", teams.project_list, _READ, {200: team.ProjectPage}, query=Paged)
_add(
    f"POST {_T}/projects",
    teams.project_create,
    (P.PROJECTS_MANAGE,),
    {201: team.Project},
    body=team.ProjectCreate,
    etag=True,
)
_add(f"GET {_P}", teams.project_get, _READ, {200: team.Project}, etag=True)
_add(
    f"PATCH {_P}",
    teams.project_change,
    (P.POLICY_EDIT,),
    {200: team.Project},
    body=team.ProjectChange,
    etag=True,
)
_add(f"POST {_P}/freeze", teams.freeze, (P.FREEZE,), {200: team.Frozen}, body=team.FreezeCreate)
_add(f"DELETE {_P}/freeze", teams.thaw, (P.FREEZE,), {200: team.Frozen})

_section("Tokens and members")
_add(
    f"GET {_T}/tokens",
    people.token_list,
    (P.TOKENS_MANAGE,),
    {200: person.TokenPage},
    query=person.TokenQuery,
)
_add(
    f"POST {_T}/tokens",
    people.token_create,
    (P.TOKENS_MANAGE,),
    {201: person.NewToken},
    body=person.TokenCreate,
    shown_once=("secret",),
)
_add(f"GET {_T}/tokens/{{id}}", people.token_get, (P.TOKENS_MANAGE,), {200: person.Token})
_add(f"DELETE {_T}/tokens/{{id}}", people.token_revoke, (P.TOKENS_MANAGE,), {200: person.Token})
_add(f"GET {_T}/members", people.member_list, (P.MEMBERS_READ,), {200: person.MemberPage}, query=Paged)
_add(
    f"POST {_T}/members",
    people.member_add,
    (P.MEMBERS_MANAGE,),
    {201: person.Member},
    body=person.MemberCreate,
)
_add(
    f"PATCH {_T}/members/{{id}}",
    people.member_change,
    (P.MEMBERS_MANAGE,),
    {200: person.Member},
    body=person.MemberChange,
)
# Members may take themselves out: whether this is somebody else is the service's to see.
_add(f"DELETE {_T}/members/{{id}}", people.member_remove, (P.MEMBERS_READ,), {204: None})
_add(f"GET {_T}/roles", people.role_list, _READ, {200: person.RoleList})

_section("Repositories")
_add(f"GET {_P}/repositories", repositories.repository_list, _READ, {200: team.RepositoryPage}, query=Paged)
_add(
    f"POST {_P}/repositories",
    repositories.repository_create,
    (P.REPOSITORIES_MANAGE,),
    {201: team.Repository},
    body=team.RepositoryCreate,
    etag=True,
)
_add(f"GET {_P}/repositories/{{id}}", repositories.repository_get, _READ, {200: team.Repository}, etag=True)
_add(
    f"PATCH {_P}/repositories/{{id}}",
    repositories.repository_change,
    (P.REPOSITORIES_MANAGE,),
    {200: team.Repository},
    body=team.RepositoryChange,
    etag=True,
)
_add(f"DELETE {_P}/repositories/{{id}}", repositories.repository_delete, (P.REPOSITORIES_MANAGE,), {204: None})

_section("Agents")
_add(
    f"POST {_P}/instances",
    agents.instance_register,
    _WORK,
    {201: agent.Instance, 200: agent.Instance},
    body=agent.InstanceCreate,
)
_add(f"GET {_P}/instances", agents.instance_list, _READ, {200: agent.InstancePage}, query=agent.InstanceQuery)
_add(f"GET {_P}/instances/{{id}}", agents.instance_get, _READ, {200: agent.Instance})
_add(
    f"PATCH {_P}/instances/{{id}}",
    agents.instance_change,
    _WORK,
    {200: agent.Instance},
    body=agent.InstanceChange,
)
_add(f"DELETE {_P}/instances/{{id}}", agents.instance_end, _WORK, {200: agent.Ended})
_add(
    f"POST {_P}/instances/{{id}}/heartbeat",
    agents.instance_heartbeat,
    _WORK,
    {200: agent.Heartbeat},
    hot=True,
)
_add(f"GET {_P}/roster", agents.roster, _READ, {200: agent.Roster})
_add(f"GET {_P}/sync", agents.sync, _WORK, {200: agent.Sync}, query=agent.SyncQuery, waits=True, hot=True)
_add(f"POST {_P}/guard", guard.guard, _WORK, {200: guarded.GuardAnswer}, body=guarded.GuardCreate, hot=True)

_section("Claims and the queue")
_add(
    f"POST {_P}/claims",
    claims.claim_create,
    _WORK,
    {201: ground.Claim, 200: ground.Verdict, 202: ground.QueueEntry, 409: ground.ClaimRefused},
    body=ground.ClaimCreate,
    waits=True,
    hot=True,
    resume=claims.claim_resume,
)
_add(f"GET {_P}/claims", claims.claim_list, _READ, {200: ground.ClaimPage}, query=ground.ClaimQuery)
_add(
    f"POST {_P}/claims/check",
    claims.claim_check,
    _READ,
    {200: ground.Verdict},
    body=ground.ClaimCheck,
    hot=True,
)
_add(
    f"POST {_P}/claims/release",
    claims.claim_release_many,
    _WORK,
    {200: ground.Released},
    body=ground.ClaimRelease,
    hot=True,
)
_add(f"GET {_P}/claims/{{id}}", claims.claim_get, _READ, {200: ground.Claim})
_add(
    f"PATCH {_P}/claims/{{id}}",
    claims.claim_change,
    _WORK,
    {200: ground.Claim, 409: ground.ClaimRefused},
    body=ground.ClaimChange,
)
_add(
    f"DELETE {_P}/claims/{{id}}",
    claims.claim_release,
    _WORK,
    {200: ground.Released, 409: ground.ClaimLost},
    query=ground.FenceQuery,
    hot=True,
)
_add(
    f"POST {_P}/claims/{{id}}/renew",
    claims.claim_renew,
    _WORK,
    {200: ground.Claim, 409: ground.ClaimLost},
    body=ground.ClaimRenew,
    hot=True,
)
_add(f"GET {_P}/queue", claims.queue_list, _READ, {200: ground.QueuePage}, query=ground.QueueQuery)
_add(
    f"GET {_P}/queue/{{id}}",
    claims.queue_get,
    _READ,
    {200: ground.QueueEntry, 202: ground.QueueEntry, 409: ground.ClaimRefused},
    query=ground.QueueGet,
    waits=True,
    hot=True,
)
_add(f"DELETE {_P}/queue/{{id}}", claims.queue_cancel, _WORK, {200: ground.QueueEntry})
_add(
    f"POST {_P}/allocations",
    claims.allocation_create,
    _WORK,
    {201: checks.Allocation},
    body=checks.AllocationCreate,
)
_add(
    f"GET {_P}/allocations",
    claims.allocation_list,
    _READ,
    {200: checks.AllocationPage},
    query=checks.AllocationQuery,
)
_add(f"DELETE {_P}/allocations/{{id}}", claims.allocation_release, _WORK, {200: checks.Allocation})
_add(
    f"POST {_P}/verify",
    claims.verify,
    (P.VERIFY,),
    {200: checks.Verification},
    body=checks.VerifyCreate,
    hot=True,
)

_section("Messages and the ledger")
_add(f"POST {_P}/messages", news.message_post, _WORK, {201: told.Message}, body=told.MessageCreate)
_add(f"GET {_P}/messages", news.message_list, _READ, {200: told.MessagePage}, query=told.MessageQuery)
_add(f"GET {_P}/inbox", news.inbox, _WORK, {200: told.Inbox}, query=told.InboxQuery, waits=True, hot=True)
_add(f"POST {_P}/inbox/ack", news.inbox_ack, _WORK, {200: told.Acknowledged}, body=told.InboxAck)
_add(f"POST {_P}/events", news.event_publish, _WORK, {201: told.Published}, body=told.EventCreate)
_add(
    f"GET {_P}/events",
    news.event_list,
    _READ,
    {200: told.EventList},
    query=told.EventQuery,
    waits=True,
    hot=True,
)
_add(
    f"GET {_P}/events/stream",
    news.event_stream,
    _READ,
    {200: told.EventList},
    query=told.StreamQuery,
    follow=news.event_follow,
)

ROUTES: tuple[Route, ...] = tuple(_table.rows)
