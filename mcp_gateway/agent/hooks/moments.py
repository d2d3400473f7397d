"""What hook calls do that need the server: judging, the beginning and the end of a session, news, unseen edits."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from coordination.engine.guard.paths import is_probe
from coordination.engine.guard.replies import ALLOW, ASK, DENY, Decision
from coordination.engine.guard.types import Event, ToolUse
from mcp_gateway.agent.files import make
from mcp_gateway.agent.hooks import words
from mcp_gateway.agent.hooks.door import KEPT, SECONDS, Away, Body, Door
from mcp_gateway.agent.hooks.memory import Memory, memory_of, prune
from mcp_gateway.agent.hooks.targets import Group, home, unsendable
from mcp_gateway.agent.settings import FOLDER, NotConfigured

# A repository where git takes too long is not looked at again for so long.
_SLOW_SECONDS = 600.0
_MOST_BASELINE = 2000
_MOST_CLAIMS = 20
_MOST_LOG = 256_000
_HEAVY = {ALLOW: 0, ASK: 1, DENY: 2}


# --- before a tool ------------------------------------------------------------------------------------------


def before(client: str, use: ToolUse, env: Mapping[str, str], asked: Sequence[tuple[Group, Memory]]) -> Decision:
    """Judge what is touched in each checkout; the heaviest decision is the call's."""
    made = [decision for group, memory in asked if (decision := _judge(client, use, env, group, memory))]
    heaviest = max((decision.decision for decision in made), key=_HEAVY.__getitem__, default=ALLOW)
    return Decision(
        heaviest,
        "\n".join(decision.reason for decision in made if decision.reason),
        "\n".join(decision.context for decision in made if decision.context),
    )


def _judge(client: str, use: ToolUse, env: Mapping[str, str], group: Group, memory: Memory) -> Decision | None:
    """What the server says of one checkout; None where it is not wired, or nothing is left to be judged."""
    strange = unsendable(group.touches)
    touches = {path: action for path, action in group.touches.items() if path not in strange}
    touches = _not_ignored(group, touches)
    context = [words.unnameable(strange)] if strange else []
    if not touches and not group.dangers:
        return Decision(ALLOW, context=context[0]) if context else None
    try:
        door = Door(client, use, group, memory, env)
    except NotConfigured:
        return None
    try:
        answers = door.judge(touches, group.dangers)
        _learn(memory, answers)
        told = _tell_what_was_missed(door)
    except Away as error:
        return _offline(str(error), use, group, memory, list(touches), context)
    context += [*door.told, *told, *(answer["context"] for answer in answers)]
    reasons = [answer["reason"] for answer in answers if answer["reason"]]
    heaviest = max((answer["decision"] for answer in answers), key=_HEAVY.__getitem__)
    return Decision(heaviest, "\n".join(reasons), "\n".join(text for text in context if text))


def _not_ignored(group: Group, touches: dict[str, str]) -> dict[str, str]:
    """Without what git ignores and does not track: build output is nobody's ground."""
    from mcp_gateway.agent import git

    asked = [path for path in touches if not is_probe(path) and path != "."]
    gone = git.ignored(asked, group.checkout.top, apart=True)
    return {path: action for path, action in touches.items() if path not in gone}


def _learn(memory: Memory, answers: Sequence[Body]) -> None:
    """Remember what is covered; after a denial nothing is."""
    for answer in answers:
        if answer["decision"] == DENY:
            memory.uncover()
        elif answer["instance"]:
            covered = [f["path"] for f in answer["findings"] if f["status"] in ("covered", "claimed")]
            memory.cover(answer["instance"]["id"], covered, answer["cache_seconds"])
    memory.save()


def _offline(
    why: str, use: ToolUse, group: Group, memory: Memory, paths: list[str], context: Sequence[str]
) -> Decision:
    """The server cannot be asked: the policy it last told decides; `open` until it has told one."""
    memory.save()
    if memory.offline == "closed":
        return Decision(DENY, words.held_back(why, paths), "\n".join(context))
    memory.note(paths)
    _log(group, use.session, why, paths)
    return Decision(ALLOW, context="\n".join([*context, words.let_through(why, paths)]))


def _log(group: Group, session: str, why: str, paths: Sequence[str]) -> None:
    """A line in `.interlock/offline.log` for people."""
    file: Path = group.checkout.main / FOLDER / "offline.log"
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = f"{moment} {session} {words.listed(paths)} ({' '.join(why.split())})\n"
    try:
        make(file.parent)
        if file.exists() and file.stat().st_size > _MOST_LOG:
            file.replace(file.with_suffix(".log.1"))
        with file.open("a", encoding="utf-8", errors="replace") as opened:
            opened.write(line)
    except OSError:
        pass


def _tell_what_was_missed(door: Door) -> list[str]:
    """What was let through while the server was away. Raises Away."""
    paths = door.memory.noted()
    if not paths:
        return []
    answer = door.call(Event.POST_TOOL, {"dirty": paths[:500]})
    door.memory.told()
    return [words.back(paths), answer["context"]]


# --- the other moments --------------------------------------------------------------------------------------


def answer(client: str, use: ToolUse, env: Mapping[str, str]) -> Decision:
    """A session's start and end, a prompt, a turn's end, and what a command left behind."""
    group = home(use.cwd)
    if group is None:
        return Decision(ALLOW)
    memory = memory_of(client, use, group)
    try:
        door = Door(client, use, group, memory, env)
    except NotConfigured as error:
        wants_to_know = use.event is Event.SESSION_START
        return Decision(ALLOW, context=words.not_set_up(str(error)) if wants_to_know else "")
    try:
        return Decision(ALLOW, context="\n".join(text for text in _MOMENTS[use.event](door) if text))
    except Away as error:
        memory.save()
        away = words.started_alone(str(error), memory.offline) if use.event is Event.SESSION_START else ""
        return Decision(ALLOW, context=away)


def _start(door: Door) -> list[str]:
    from mcp_gateway.agent.hooks import dirt

    prune(door.group.records)
    door.memory.uncover()
    if door.use.source != "compact":  # what is changed already when a session begins is not its doing
        _remember_dirt(door.memory, dirt.look(door.group.checkout.top))
    _, said = door.begin()
    door.memory.save()
    return [door.greeting(said), _held_by_others(door, said)] if said else []


def _held_by_others(door: Door, said: Body) -> str:
    """What to keep off, so far; a glance, which the session can do without."""
    from mcp_gateway.agent import wording
    from mcp_gateway.agent.http import Client
    from mcp_gateway.agent.output import UserError, clean

    me = said["instance"]
    client = Client(door.settings, instance=me["handle"], timeout=SECONDS, retries=0)
    try:
        held = client.request("GET", "claims", query={"state": "held", "limit": _MOST_CLAIMS}).body["items"]
    except UserError:
        return ""
    others = [claim for claim in held if claim["holder"]["instance"] != me["holder"]]
    told = [f"{wording.ground(claim['scopes'])[:200]} by {wording.who(claim['holder'])}" for claim in others]
    return f"Held by others: {clean('; '.join(told))}." if told else ""


def _prompt(door: Door) -> list[str]:
    said = door.call(Event.PROMPT, {})
    told = _tell_what_was_missed(door)
    door.memory.save()
    return [*door.told, *told, said["context"]]


def _stop(door: Door) -> list[str]:
    if door.found() is not None:
        door.call(Event.STOP, {})
    return []


def _end(door: Door) -> list[str]:
    try:
        door.end()
    finally:
        if door.use.source not in KEPT:
            door.memory.drop()
    return []


def _after(door: Door) -> list[str]:
    """Compare what is changed with what was, and tell what nobody judged."""
    from mcp_gateway.agent.hooks import dirt

    memory = door.memory
    if float(memory.said.get("slow", 0)) > time.time():
        return []
    known = memory.said.get("dirt")
    since = memory.said.get("since") or memory.said.get("looked") or 0
    found = dirt.look(door.group.checkout.top)
    if found is None:
        memory.said["slow"] = time.time() + _SLOW_SECONDS
        memory.save()
        return []
    paths = dirt.changed(known if isinstance(known, dict) else {}, found, int(since)) if since else []
    _remember_dirt(memory, found)
    memory.save()
    open_paths = [path for path in paths if not memory.covers([path])]
    return [door.call(Event.POST_TOOL, {"dirty": open_paths})["context"], *door.told] if open_paths else []


def _remember_dirt(memory: Memory, found: Mapping[str, tuple[int, int]] | None) -> None:
    memory.said["looked"] = time.time_ns()
    memory.said["dirt"] = dict(found) if found and len(found) <= _MOST_BASELINE else {}


_MOMENTS = {
    Event.SESSION_START: _start,
    Event.PROMPT: _prompt,
    Event.POST_TOOL: _after,
    Event.STOP: _stop,
    Event.SESSION_END: _end,
}
