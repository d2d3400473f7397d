"""Payloads as the clients send them, and payloads as nobody should."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.engine.guard.payloads import CLIENTS, MAX_COMMAND, read
from coordination.engine.guard.types import Event, PayloadError, ToolUse
from tests.engine.strategies import examples

from .cases import Case, cases, tool_use

_ALL = [(client, case) for client in CLIENTS for case in cases(client)]
_IDS = [f"{client}: {case['name']}" for client, case in _ALL]

_WORDS = st.sampled_from(
    ["Bash", "Write", "Shell", "apply_patch", "ApplyPatch", "PowerShell", "write_file", "rm a", "*** Begin Patch",
     "*** Add File: x", "a", "", "\0", "\ud800", "/x", "s", "x" * 300, "git reset --hard"]
) | st.text(max_size=12)  # fmt: skip
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)
_FIELDS = st.sampled_from(
    ["session_id", "conversation_id", "cwd", "tool_name", "tool_input", "source", "reason", "model", "command",
     "file_path", "workspace_roots", "parent_session_id", "edits"]
)  # fmt: skip
_INPUTS = st.dictionaries(
    st.sampled_from(["command", "cmd", "file_path", "path", "notebook_path", "input", "patch", "workdir", "dir_path"]),
    _JSON,
    max_size=4,
)


@pytest.mark.parametrize(("client", "case"), _ALL, ids=_IDS)
def test_a_payload_is_read_as_what_the_client_means(client: str, case: Case) -> None:
    payload, event = case["payload"], case.get("event", "")
    if "error" in case:
        with pytest.raises(PayloadError, match=case["error"].replace("'", ".")):
            read(client, payload, event)
    else:
        assert read(client, payload, event) == tool_use(case["expect"])


@pytest.mark.parametrize(("client", "case"), _ALL, ids=_IDS)
def test_nothing_of_a_files_content_or_a_prompt_comes_out(client: str, case: Case) -> None:
    try:
        told = repr(read(client, case["payload"], case.get("event", "")))
    except PayloadError as error:
        told = str(error)
    assert "SECRET-CONTENT" not in told


def test_each_client_has_each_event_and_each_kind_of_change() -> None:
    for client in CLIENTS:
        read_as = [tool_use(case["expect"]) for case in cases(client) if "expect" in case]
        # Codex has no end of a session.
        wanted = set(Event) - ({Event.SESSION_END} if client == "codex" else set())
        assert {use.event for use in read_as} == wanted
        assert any(use.touches for use in read_as if use.event is Event.PRE_TOOL)
        assert any(use.touches for use in read_as if use.event is Event.POST_TOOL)
        assert any(use.dangers for use in read_as)


@examples(400)
@given(
    st.sampled_from(CLIENTS),
    st.dictionaries(_FIELDS | st.text(max_size=5), _JSON | _INPUTS, max_size=9),
    st.sampled_from([case["payload"].get("hook_event_name", "stop") for _, case in _ALL]) | st.text(max_size=5),
    st.booleans(),
)
def test_any_object_is_read_or_refused_with_a_sentence(
    client: str, payload: dict[str, Any], event: str, named: bool
) -> None:
    payload = {"session_id": "s", **payload} if named else payload
    try:
        use = read(client, payload, event)
    except PayloadError as error:
        assert str(error)
        str(error).encode("ascii", "backslashreplace")
    else:
        assert isinstance(use, ToolUse)
        texts = [use.session, use.cwd, use.tool, use.source, use.model, use.parent]
        texts += [touch.path for touch in use.touches]
        for text in texts:
            assert "\0" not in text
            text.encode()


@pytest.mark.parametrize("payload", [None, [], "text", 3])
def test_what_is_no_object_is_refused(payload: Any) -> None:
    with pytest.raises(PayloadError, match="not a JSON object"):
        read("claude-code", payload)


@pytest.mark.parametrize("model", ["\ud800", "a\0", "m" * 201, 7, ["m"]])
def test_a_models_name_that_is_none_is_left_out(model: Any) -> None:
    payload = {"session_id": "s", "cwd": "/r", "hook_event_name": "Stop", "model": model}
    assert read("codex", payload).model == ""
    assert read("codex", payload | {"model": {"id": "m"}}).model == "m"


def test_an_unknown_client_is_refused_by_name() -> None:
    with pytest.raises(PayloadError, match="'other' is no client"):
        read("other", {})


def test_a_command_too_long_to_read_is_opaque_rather_than_refused() -> None:
    payload = {"session_id": "s", "cwd": "/r", "hook_event_name": "PreToolUse", "tool_name": "Bash"}
    use = read("claude-code", payload | {"tool_input": {"command": "rm a " + "x" * MAX_COMMAND}})
    assert use.opaque
    assert not use.touches


def test_the_corpus_is_what_a_client_could_send() -> None:
    for _, case in _ALL:
        assert json.loads(json.dumps(case["payload"])) == case["payload"]
