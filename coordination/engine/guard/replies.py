"""The answer to a hook call, in the words each client understands.

Rests on the public documentation (and, for Codex and Gemini, the public source) of the clients, as seen in 2026-11:

* Claude Code: JSON is read at exit 0, stderr at exit 2. Some versions ignored a denial in JSON, others one by exit
  code, so a denial is given both ways.
* Codex: the same words, but fields it does not know and a permission of `allow` or `ask` make the hook count as
  failed, and a failed hook lets the call through.
* Cursor: `permission` with messages, spelled `user_message` now and `userMessage` in early versions; exit 2 denies.
* Gemini CLI: `decision` and `reason`; exit 2 denies with stderr as the reason.

No answer ever grants what the client would have asked its user about: a call nothing is said against gets no
permission, only context.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .types import Event

ALLOW, DENY, ASK = "allow", "deny", "ask"

Json = dict[str, Any]

_CLAUDE_NAMES = {
    Event.SESSION_START: "SessionStart",
    Event.PROMPT: "UserPromptSubmit",
    Event.PRE_TOOL: "PreToolUse",
    Event.POST_TOOL: "PostToolUse",
    Event.STOP: "Stop",
    Event.SESSION_END: "SessionEnd",
}
_GEMINI_NAMES = {
    Event.SESSION_START: "SessionStart",
    Event.PROMPT: "BeforeAgent",
    Event.PRE_TOOL: "BeforeTool",
    Event.POST_TOOL: "AfterTool",
    Event.STOP: "AfterAgent",
    Event.SESSION_END: "SessionEnd",
}
_NO_REASON = "refused by the guard"
_ASKED = "A person has to agree to this first: ask them, and let them do it or say so."
# The exit code every client takes for a refusal, with stderr as its reason.
_REFUSED = 2


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided on a hook call.

    Attributes:
        decision: `allow`, `deny` or `ask` (a person is to agree).
        reason: why, and what to do next; for the model, one or more sentences.
        context: what the model should know besides.
    """

    decision: str
    reason: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command hook does. Over HTTP `stdout` alone is the body (None: an empty object).

    Attributes:
        stdout: JSON to print, None for nothing at all.
        stderr: text to print there; empty for none.
        exit_code: 0, or 2 for a denial.
    """

    stdout: Json | None
    stderr: str = ""
    exit_code: int = 0


def reply(client: str, event: Event, decision: Decision) -> Reply:
    """The answer of `client` to `event`. A denial of something that cannot be denied is told as context.

    Raises:
        ValueError: an unknown client.
    """
    if client == "claude-code":
        return _claude(event, decision)
    if client == "codex":
        return _claude(event, _asked(decision))
    if client == "cursor":
        return _cursor(event, _asked(decision))
    if client == "gemini":
        return _gemini(event, _asked(decision))
    raise ValueError(f"{client!r} is no client the guard knows")


def _asked(decision: Decision) -> Decision:
    """Where a client cannot be made to ask everywhere, asking is refusing with the way out."""
    if decision.decision != ASK:
        return decision
    return Decision(DENY, _joined(decision.reason, _ASKED), decision.context)


def _joined(*texts: str) -> str:
    return "\n".join(text for text in texts if text.strip())


def _claude(event: Event, decision: Decision) -> Reply:
    name = _CLAUDE_NAMES[event]
    reason = decision.reason or _NO_REASON
    if event is Event.PRE_TOOL and decision.decision == DENY:
        told = _joined(reason, decision.context)
        return Reply(_specific(name, permissionDecision=DENY, permissionDecisionReason=told), told, _REFUSED)
    if event is Event.PRE_TOOL and decision.decision == ASK:
        told = _joined(reason, decision.context)
        return Reply(_specific(name, permissionDecision=ASK, permissionDecisionReason=told))
    if event is Event.SESSION_END:
        return Reply(None)
    if event in (Event.PROMPT, Event.POST_TOOL, Event.STOP) and decision.decision != ALLOW:
        return Reply({"decision": "block", "reason": _joined(reason, decision.context)})
    told = decision.context if decision.decision == ALLOW else _joined(decision.reason, decision.context)
    # Stop has no place for context that does not make the model go on.
    return Reply(_specific(name, additionalContext=told) if told and event is not Event.STOP else None)


def _specific(name: str, **fields: str) -> Json:
    return {"hookSpecificOutput": {"hookEventName": name, **fields}}


def _cursor(event: Event, decision: Decision) -> Reply:
    denied = decision.decision == DENY
    told = _joined(decision.reason or _NO_REASON, decision.context) if denied else decision.context
    if event is Event.PRE_TOOL and denied:
        return Reply({"continue": True, "permission": DENY, **_messages(told)}, told, _REFUSED)
    if event is Event.PROMPT and denied:
        return Reply({"continue": False, "user_message": told, "userMessage": told})
    if event is Event.STOP:
        return Reply({"followup_message": told} if denied else None)
    if not told or event is Event.SESSION_END:
        return Reply(None)
    if event is Event.PRE_TOOL:
        return Reply({"agent_message": told, "agentMessage": told})
    return Reply({"continue": True, "additional_context": told})


def _messages(told: str) -> Json:
    return {"user_message": told, "agent_message": told, "userMessage": told, "agentMessage": told}


def _gemini(event: Event, decision: Decision) -> Reply:
    denied = decision.decision == DENY
    told = _joined(decision.reason or _NO_REASON, decision.context) if denied else decision.context
    if event is Event.PRE_TOOL and denied:
        return Reply({"decision": DENY, "reason": told}, told, _REFUSED)
    if event in (Event.PROMPT, Event.STOP) and denied:
        return Reply({"decision": DENY, "reason": told})
    # A denial after the tool would hide its output from the model, and one of a session is ignored.
    if not told or event in (Event.STOP, Event.SESSION_END):
        return Reply(None)
    return Reply(_specific(_GEMINI_NAMES[event], additionalContext=told))
