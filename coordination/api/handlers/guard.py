"""The guard: what a tool's hooks ask."""

from coordination.api.call import Call
from coordination.api.schemas.guard import GuardCreate
from coordination.engine.guard.types import Danger, Event, Touch
from coordination.services.guard import judging as services
from coordination.services.guard.calls import HookCall
from coordination.services.results import Answer


def guard(call: Call) -> Answer:
    """Judge a hook call: may this edit happen"""
    return services.judge(call.principal, call.project, hook_call(call.body, door="command"))


def hook_call(body: GuardCreate, *, door: str) -> HookCall:
    """The checked body as the service takes it."""
    return HookCall(
        event=Event(body.event),
        door=door,
        session=body.session,
        agent=body.agent or "",
        tool=body.tool,
        model=body.model,
        worktree=body.worktree,
        host=body.host,
        branch=body.branch,
        repository=body.repository,
        parent=body.parent,
        source=body.source,
        touches=tuple(Touch(touch.path, touch.action) for touch in body.touches),
        dangers=tuple(Danger(danger.verb, tuple(danger.paths), danger.what) for danger in body.dangers),
        dirty=tuple(body.dirty),
        opaque=body.opaque,
    )
