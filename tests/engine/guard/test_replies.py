"""What each client is answered, and that a refusal is one however the client listens."""

import itertools
import json

import pytest

from coordination.engine.guard.payloads import CLIENTS
from coordination.engine.guard.replies import ALLOW, ASK, DENY, Decision, Reply, reply
from coordination.engine.guard.types import Event

_DENIED = Decision(DENY, "bob holds src/a.py until 12:00", "ask bob")
_TOLD = Decision(ALLOW, context="two messages")
_NOTHING = Decision(ALLOW)
_ANY = list(itertools.product(CLIENTS, Event))


@pytest.mark.parametrize("client", CLIENTS)
def test_an_edit_is_refused_by_the_exit_code_and_in_words_on_both_ways_out(client: str) -> None:
    answer = reply(client, Event.PRE_TOOL, _DENIED)
    assert answer.exit_code == 2
    assert answer.stderr == "bob holds src/a.py until 12:00\nask bob"
    assert "bob holds src/a.py until 12:00\\nask bob" in json.dumps(answer.stdout)


def test_a_refusal_in_each_clients_own_words() -> None:
    told = "bob holds src/a.py until 12:00\nask bob"
    for client in ("claude-code", "codex"):
        assert reply(client, Event.PRE_TOOL, _DENIED).stdout == {
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny",
                "permissionDecisionReason": told,
            }
        }
    assert reply("gemini", Event.PRE_TOOL, _DENIED).stdout == {"decision": "deny", "reason": told}
    assert reply("cursor", Event.PRE_TOOL, _DENIED).stdout == {
        "continue": True,
        "permission": "deny",
        "user_message": told,
        "agent_message": told,
        "userMessage": told,
        "agentMessage": told,
    }


@pytest.mark.parametrize(("client", "event"), _ANY)
def test_nothing_to_say_is_no_answer_at_all(client: str, event: Event) -> None:
    assert reply(client, event, _NOTHING) == Reply(None)


@pytest.mark.parametrize(("client", "event"), _ANY)
def test_no_answer_grants_what_the_client_would_have_asked_about(client: str, event: Event) -> None:
    answer = reply(client, event, _TOLD)
    assert answer.exit_code == 0
    assert answer.stderr == ""
    assert '"allow"' not in json.dumps(answer.stdout)
    assert '"approve"' not in json.dumps(answer.stdout)


def test_context_reaches_the_model_where_the_client_takes_it() -> None:
    names = {
        "claude-code": ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse"),
        "codex": ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse"),
        "gemini": ("SessionStart", "BeforeAgent", "BeforeTool", "AfterTool"),
    }
    events = (Event.SESSION_START, Event.PROMPT, Event.PRE_TOOL, Event.POST_TOOL)
    for client, native in names.items():
        for event, name in zip(events, native, strict=True):
            expected = {"hookSpecificOutput": {"hookEventName": name, "additionalContext": "two messages"}}
            assert reply(client, event, _TOLD).stdout == expected
    for event in (Event.SESSION_START, Event.PROMPT, Event.POST_TOOL):
        assert reply("cursor", event, _TOLD).stdout == {"continue": True, "additional_context": "two messages"}


@pytest.mark.parametrize("client", CLIENTS)
def test_an_end_is_never_held_up_by_context(client: str) -> None:
    assert reply(client, Event.STOP, _TOLD) == Reply(None)
    for decision in (_TOLD, _DENIED, Decision(ASK, "x")):
        assert reply(client, Event.SESSION_END, decision) == Reply(None)


def test_asking_is_asking_where_the_client_can_and_refusing_with_the_way_out_elsewhere() -> None:
    ask = Decision(ASK, "this throws away others' work")
    answer = reply("claude-code", Event.PRE_TOOL, ask)
    assert answer.exit_code == 0
    assert answer.stdout is not None
    assert answer.stdout["hookSpecificOutput"]["permissionDecision"] == "ask"
    for client in ("codex", "cursor", "gemini"):
        answer = reply(client, Event.PRE_TOOL, ask)
        assert answer.exit_code == 2
        assert "A person has to agree to this first" in answer.stderr
        assert "ask" not in json.dumps(answer.stdout).split(":")[1]


@pytest.mark.parametrize(("client", "event"), _ANY)
def test_what_cannot_be_refused_is_told_instead_and_a_start_is_never_blocked(client: str, event: Event) -> None:
    answer = reply(client, event, _DENIED)
    assert (answer.exit_code == 2) is (event is Event.PRE_TOOL)
    if event is Event.SESSION_START:
        assert "bob holds" in json.dumps(answer.stdout)
        assert "decision" not in (answer.stdout or {})
    if event is Event.POST_TOOL and client == "gemini":
        # Its denial would hide the tool's output from the model.
        assert "decision" not in (answer.stdout or {})


@pytest.mark.parametrize("client", CLIENTS)
def test_a_refusal_without_a_reason_still_has_words(client: str) -> None:
    # Codex takes a denial without a reason for a failed hook, and lets the call through.
    assert reply(client, Event.PRE_TOOL, Decision(DENY)).stderr.strip()


def test_codex_is_given_no_field_it_does_not_know() -> None:
    # One it does not know makes the hook count as failed, and what a failed hook judged goes through.
    top = {"continue", "stopReason", "suppressOutput", "systemMessage", "decision", "reason", "hookSpecificOutput"}
    inner = {"hookEventName", "permissionDecision", "permissionDecisionReason", "additionalContext"}
    for event, decision in itertools.product(Event, (_DENIED, _TOLD, _NOTHING, Decision(ASK, "x"))):
        answer = reply("codex", event, decision).stdout or {}
        assert answer.keys() <= top
        assert answer.get("hookSpecificOutput", {}).keys() <= inner
        assert answer.get("hookSpecificOutput", {}).get("permissionDecision", "deny") == "deny"


def test_an_unknown_client_has_no_answer() -> None:
    with pytest.raises(ValueError, match="'other' is no client"):
        reply("other", Event.STOP, _NOTHING)
