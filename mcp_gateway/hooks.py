"""The HTTP door of the guard: Claude Code posts each hook call as it is, and gets its answer in its own words.

``POST /hooks/{team}/{project}/claude-code?agent=NAME``. Raw ASGI with the admission of the hot API. Contents of files,
commands and prompts are read for the paths in them and dropped at once: they reach neither the service, the ledger nor
the log. Order of checks: address, method, credential, rate, size, media type; then team, scope, payload.
"""

import re
import time
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import orjson

from coordination.api import parse, render, serve
from coordination.api.admission import Admission, Given, Guest, note_request, read_body, send_response
from coordination.api.handlers.guard import hook_call
from coordination.api.limits import Headers
from coordination.api.render import Context, Response
from coordination.api.schemas.base import AgentName, Query
from coordination.api.schemas.guard import MAX_TOUCHES, GuardCreate
from coordination.api.stream import Receive, Send
from coordination.api.waits import Gone
from coordination.engine.guard import paths, payloads, replies
from coordination.engine.guard.types import Danger, ToolUse
from coordination.services.guard import judging
from coordination.services.guard.calls import HookCall
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem, invalid, not_found

CLIENT = "claude-code"
PREFIX = "/hooks/"
_PATH = re.compile(r"/hooks/([a-z0-9-]{1,40})/([a-z0-9-]{1,40})/claude-code")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
# Claude Code keeps the checkouts of its own worktrees here: what lies in one is the repository's, by its path there.
_WORKTREE = re.compile(r"\.claude/worktrees/[^/]+/(?=.)")
_MOST_ROOT = 1024

Scope = dict[str, Any]


class _Query(Query):
    """What may stand behind the address."""

    agent: AgentName | None = None


class _Asked(NamedTuple):
    """A hook call as its carrier read it; the body is let go of as soon as it was understood."""

    team: str
    project: str
    query: bytes
    root: bytes | None
    body: bytes


class HooksDoor:
    """The ASGI app."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a path is answered here."""
        return path.startswith(PREFIX)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one hook call: 200 with a decision, refusals too; problem documents for mistakes."""
        started = time.perf_counter()
        headers: Given = dict(scope["headers"])
        request_id = parse.request_id(headers.get(b"x-request-id")) or render.new_request_id()
        context = Context(request_id, scope["path"], trace=parse.trace_id(headers.get(b"traceparent")))
        extra: Headers = []
        try:
            found = _PATH.fullmatch(context.path)
            if found is None:
                raise not_found("address")
            if scope["method"] != "POST":
                raise Problem(Code.METHOD_NOT_ALLOWED, "Allowed here: POST.", headers={"Allow": "POST"})
            guest = await self.admission.guest(scope, headers)
            extra = await self.admission.rate(guest)
            body = await read_body(receive, headers.get(b"content-length"))
            parse.check_media_type(headers.get(b"content-type"), headers.get(b"content-encoding"))
            asked = _Asked(found[1], found[2], scope["query_string"], headers.get(b"interlock-root"), body)
            response = await self.admission.run(guest, asked.project, _answer, guest, asked, context)
            if response.status == 401:
                self.admission.forget(guest)
        except Gone:
            note_request(scope, context, "hooks", 499, started)
            return
        except Problem as problem:
            response = render.problem(problem, context)
        except Exception as error:
            response = render.crash(error, context)
        note_request(scope, context, "hooks", response.status, started, timed=True)
        await send_response(send, response, extra)


def _answer(guest: Guest, asked: _Asked, context: Context) -> Response:
    """On a thread: the rendered answer."""
    try:
        principal = guest.who().acting(door="hook", request_id=context.request_id)
        serve.check_team(principal, {"team": asked.team})
        principal.require(Permission.COORDINATE)
        agent = _agent(asked.query)
        use = _read(asked.body)
        call = _call(principal, asked, agent, use)
        body = judging.judge(principal, asked.project, call).body
        decision = replies.Decision(body["decision"], body["reason"], body["context"])
        told = replies.reply(CLIENT, use.event, decision).stdout
        request_id = (b"x-request-id", context.request_id.encode())
        return Response(200, [render.JSON, render.NO_STORE, render.NOSNIFF, request_id], render.dumps(told or {}))
    except Problem as problem:
        return render.problem(problem, context)
    except Exception as error:
        return render.crash(error, context)


def _agent(query: bytes) -> str:
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=10)
    except ValueError:  # includes UnicodeDecodeError
        raise Problem(Code.BAD_REQUEST, "The query string is not percent-encoded UTF-8, or far too long.") from None
    found: _Query = parse.validate(_Query, dict(pairs), "query")
    return found.agent or ""


def _read(body: bytes) -> ToolUse:
    """What the payload says, without its contents. Raises 400, or 422 for what Claude Code does not send."""
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError:
        # What the parser says may show a piece of what it stumbled over.
        raise Problem(Code.MALFORMED_JSON, "The body is not JSON.") from None
    try:
        return payloads.read(CLIENT, payload)
    except payloads.PayloadError as error:
        raise invalid("body", "payload", str(error)) from None


def _call(principal: Principal, asked: _Asked, agent: str, use: ToolUse) -> HookCall:
    """The call with the repository's own paths; what lies outside of the checkout is nobody's business here."""
    named = _root(asked.root)
    said: dict[str, Any] = {
        "event": str(use.event),
        "session": use.session,
        "agent": agent or None,
        "tool": CLIENT,
        "model": use.model[:120],
        "source": use.source,
        "opaque": use.opaque,
    }
    root = named
    if root is None:
        known = judging.whereabouts(principal, asked.project, _checked(said)) if use.event != "session_start" else None
        root = known or use.cwd[:_MOST_ROOT]
    said["worktree"] = root
    touches = [(_relative(root, use.cwd, touch.path), touch.action) for touch in use.touches]
    said["touches"] = [{"path": path, "action": action} for path, action in touches if path][:MAX_TOUCHES]
    said["dangers"] = [found for danger in use.dangers if (found := _danger(root, use.cwd, danger))]
    return _checked(said)


def _danger(root: str, cwd: str, danger: Danger) -> dict[str, Any] | None:
    """A dangerous command as it is asked about; None where it acts on another checkout."""
    where = paths.relative(root, cwd or root, danger.where or ".", windows=_is_windows(root))
    if where is None or _WORKTREE.match(f"{where}/."):
        return None
    named = [path for named in danger.paths if (path := _relative(root, cwd, named))]
    if danger.paths and not named:
        return None
    return {"verb": danger.verb, "paths": named[:MAX_TOUCHES], "what": danger.what}


def _checked(said: dict[str, Any]) -> HookCall:
    """As the REST door takes it, so that both let the same in. Raises 422."""
    return hook_call(parse.validate(GuardCreate, said, "body"), door="http")


def _root(header: bytes | None) -> str | None:
    """The checkout's top as the caller says it; None for none, or for a variable that nobody filled in."""
    text = header.decode("utf-8", "replace").strip() if header else ""
    return text[:_MOST_ROOT] if text and not text.startswith("$") else None


def _is_windows(root: str) -> bool:
    return bool(_DRIVE.match(root) or root.startswith("\\\\"))


def _relative(root: str, cwd: str, path: str) -> str | None:
    """A path as the tool said it, as one of the repository; a slash at its end stays, it says that it is a folder."""
    found = paths.relative(root, cwd or root, path, windows=_is_windows(root))
    if found is None:
        return None
    clean = _WORKTREE.sub("", found, count=1) if _WORKTREE.match(found) else found
    return clean + "/" if path.endswith(("/", "\\")) and clean != "." else clean
