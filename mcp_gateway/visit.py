"""One request at the MCP door, from whoever was let in: who asks, where, and the tool it calls performed.

What a tool does runs on a thread of the admission's pool, in one hop; waiting costs no thread (coordination.api.waits).
"""

from collections.abc import Awaitable, Hashable
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import orjson

from coordination.api import render, serve
from coordination.api.admission import Admission, Guest
from coordination.api.render import Context
from coordination.api.serve import Incoming
from coordination.api.stream import Receive
from coordination.api.waits import Gone, Wait
from coordination.services.results import STATUS, Answer
from mcp_gateway import mistakes
from mcp_gateway.held import Held
from mcp_gateway.tools import scopes_of, tools_of
from mcp_gateway.tools.base import LONGEST_WAIT_S, Caller, Given, Shape, Step, Tool, Translation
from tenants.idempotency import Stored
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem, invalid
from tenants.selectors.projects import project_resolve

_JSON = b"application/json"


class Place(NamedTuple):
    """What the address says. Without a project each call names one. ``tools`` is the set that is served."""

    team: str
    project: str | None
    tools: str


class Result(NamedTuple):
    """What a tool answers. A refusal is no mistake."""

    text: str
    body: Shape
    mistake: bool = False
    replayed: bool = False


class Denied(Exception):
    """The whole request is refused, whatever it asks: answered by its HTTP status instead of by the protocol."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class NoSuchTool(Exception):
    """The set has no tool of that name."""


class TakenBack(Exception):
    """The client has said that it does not want this answer any more, and is still there."""


class Visit:
    """A request that was let in. Tools run on a thread."""

    def __init__(
        self,
        admission: Admission,
        guest: Guest,
        place: Place,
        context: Context,
        address: str,
        receive: Receive,
        held: Held,
    ) -> None:
        self.place = place
        self.context = context
        self.instance: str | None = None  # as the header names it
        self.request_id: Any = None  # of the message
        self.principal: Principal | None = None  # known after ``enter``
        self.called = ""  # the tool, for counting
        self.waited = False
        # How a call ended where the protocol has no words for it; whoever carries the answer looks here.
        self.gone = False
        self.denied: Denied | None = None
        self._admission = admission
        self._guest = guest
        self._receive = receive
        self._held = held
        self._address = address

    def key(self, request_id: Any) -> Hashable:
        """What one of this client's held calls is found by."""
        return self._guest.caller.token_id, self._address, str(request_id)[:100]

    async def enter(self) -> None:
        """Look who asks, and whether there is anything here for them. Raises Denied."""
        self.principal = await self._run(self.place.project, self.look)

    async def call(self, name: str, arguments: Shape) -> Result:
        """Perform a tool of this set. Raises Denied, NoSuchTool, TakenBack, and Gone when the client goes away."""
        tool = tools_of(self.place.tools).get(name)
        if tool is None:
            raise NoSuchTool(name)
        self.called = name
        call = _ToolCall(self, tool, arguments)
        lane = self.place.project or str(arguments.get("project", ""))[:40]
        given: Result | Answer = await self._run(lane, call.start)
        if not isinstance(given, Answer):
            return given
        self.waited = True
        with self._held.enter(self.key(self.request_id), self._receive) as held:
            wait = Wait(self._admission.pool, self._guest.caller.team_id, lane, held.receive)
            try:
                return await call.finish(wait.run(_shorter(given)))
            except Gone:
                if held.taken_back:
                    raise TakenBack from None
                raise

    def visible(self) -> list[Tool]:
        """The tools of the set that this credential may call."""
        assert self.principal is not None
        return [tool for tool in tools_of(self.place.tools).values() if self.principal.allows(*tool.permissions)]

    async def _run(self, lane: str | None, function: Any) -> Any:
        try:
            return await self._admission.run(self._guest, lane, function)
        except Denied as denied:
            if denied.problem.status == 401:
                self._admission.forget(self._guest)
            raise

    def look(self) -> Principal:
        """Who asks, looked at anew. On a thread. Raises Denied."""
        try:
            principal = self._guest.who().acting(door="mcp", request_id=self.context.request_id)
            serve.check_team(principal, {"team": self.place.team})
            if not any(principal.allows(*tool.permissions) for tool in tools_of(self.place.tools).values()):
                _refuse_scope(principal, scopes_of(self.place.tools))
            if self.place.project is not None:
                project_resolve(principal, self.place.project)
        except Problem as problem:
            raise Denied(problem) from None
        return principal


def _refuse_scope(principal: Principal, needed: tuple[Permission, ...]) -> None:
    raise Problem(
        Code.FORBIDDEN,
        f"None of these tools is within the scopes of {principal.actor.name}: they need {', '.join(needed)}.",
        needs=list(needed),
        lacks=sorted(set(needed) - principal.permissions),
    )


class _ToolCall:
    """A tool on its way through its steps."""

    def __init__(self, visit: Visit, tool: Tool, arguments: Shape) -> None:
        self._visit = visit
        self._tool = tool
        self._arguments = arguments
        self._steps: Translation | None = None
        self._principal: Principal | None = None
        self._project = ""
        self._replayed = False

    def start(self) -> Result | Answer:
        """On a thread: the result, or an answer that is to be waited for."""
        principal = self._visit.look()
        try:
            principal.require(*self._tool.permissions)
            arguments, self._project = self._read()
            self._principal = principal.acting(instance=arguments.instance or self._visit.instance)
            self._steps = self._tool.translate(arguments, Caller(self._principal.instance, principal.agent))
            return self._walk(next(self._steps))
        except Problem as problem:
            if problem.status == 401:
                raise Denied(problem) from None
            return self._mistake(problem)
        except Exception as error:
            return self._crash(error)

    def _read(self) -> tuple[Any, str]:
        given, project = self._arguments, self._visit.place.project
        if project is None:
            given = dict(given)
            project = given.pop("project", None)
            if not isinstance(project, str):
                raise invalid("project", "missing", "this address serves a whole team: name the project in each call")
        return mistakes.checked(self._tool, given, team_wide=self._visit.place.project is None), project

    def _walk(self, step: Step) -> Result | Answer:
        assert self._steps is not None
        while True:
            answer = self._perform(step)
            if isinstance(answer, Answer) and answer.hold is not None:
                return answer  # a translation waits with its last step only
            given = self._given(answer)
            try:
                step = self._steps.send(given)
            except StopIteration:
                return self._result(given)

    def _perform(self, step: Step) -> Answer | Stored:
        principal = self._principal
        assert principal is not None
        if step.instance is not None:
            principal = principal.acting(instance=step.instance)
        params = {"team": self._visit.place.team, "project": self._project}
        if step.id:
            params["id"] = step.id
        incoming = Incoming(
            query_string=urlencode(step.query).encode() if step.query else b"",
            body=orjson.dumps(step.body) if step.body is not None else b"",
            content_type=_JSON,
            idempotency_key=step.key.encode() if step.key is not None else None,
        )
        route = self._tool.route(step)
        return serve.perform(route, serve.read(route, params, principal, incoming), incoming)

    async def finish(self, waiting: Awaitable[Answer]) -> Result:
        """The result of what is waited for. Raises Gone."""
        try:
            return self._result(self._given(await waiting))
        except Gone:
            raise
        except Problem as problem:
            return self._mistake(problem)
        except Exception as error:
            return self._crash(error)

    def _crash(self, error: Exception) -> Result:
        render.crash(error, self._visit.context)  # for its log line; told to nobody
        return self._mistake(Problem(Code.INTERNAL))

    def _given(self, answer: Answer | Stored) -> Given:
        if isinstance(answer, Stored):
            self._replayed = True
            status, body = answer.status, answer.body
        else:
            status, body = STATUS[answer.kind], answer.body
        if status >= 400:
            context = self._visit.context
            body = body | {"request_id": context.request_id, "instance": quote(context.path)}
        # As it would have gone out at the other door: times are text from here on.
        return Given(status, orjson.loads(render.dumps(body)))

    def _result(self, given: Given) -> Result:
        text = self._tool.tell(given)
        if self._replayed:
            text += "\n(Answered from memory: this idempotency_key was used for this very request before.)"
        return Result(text, given.body, replayed=self._replayed)

    def _mistake(self, problem: Problem) -> Result:
        context = self._visit.context
        document = problem.document(request_id=context.request_id) | {"instance": quote(context.path)}
        body = mistakes.worded(orjson.loads(render.dumps(document)))
        return Result(mistakes.told(body), body, mistake=True)


def _shorter(answer: Answer) -> Answer:
    """The same wait, given up before a client's time-out; what is waited for keeps its place."""
    hold = answer.hold
    assert hold is not None
    return replace(answer, hold=replace(hold, seconds=min(hold.seconds, LONGEST_WAIT_S)))
