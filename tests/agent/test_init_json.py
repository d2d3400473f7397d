"""Editing files of others: JSON, managed blocks, settings, TOML; what is not ours keeps its bytes."""

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mcp_gateway.agent.wiring import blocks, codex, jsonedit, localenv
from mcp_gateway.agent.wiring.blocks import HASH, MARKDOWN, TangledError
from mcp_gateway.agent.wiring.edits import Held, UnfitError
from mcp_gateway.agent.wiring.jsonedit import NotJsonError
from mcp_gateway.agent.wiring.tool import Tool
from mcp_gateway.agent.wiring.tools import TOOLS

KEYS = st.text(max_size=6) | st.sampled_from(["mcpServers", "hooks", "version", "interlock", "PreToolUse", "//"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
SHAPES = st.tuples(
    st.sampled_from([None, 1, 2, 4, "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n", "\r\n", "\n\n"]),
    st.sampled_from(["", "\ufeff"]),
    st.booleans(),
)
SERVER = TOOLS["claude"].server()


def written(value: object, shape: tuple) -> str:
    """A document as some editor would have saved it."""
    indent, newline, ending, mark, escaped = shape
    return mark + json.dumps(value, indent=indent, ensure_ascii=escaped).replace("\n", newline) + ending


@settings(deadline=None)
@given(OBJECTS, SHAPES)
def test_a_server_is_added_to_any_document_and_nothing_else_changes(document, shape):
    servers = document.get("mcpServers", {})
    assume(isinstance(servers, dict) and "interlock" not in servers)
    text = written(document, shape)
    wired = SERVER.put(text)
    expected = document | {"mcpServers": servers | {"interlock": TOOLS["claude"].stdio}}
    assert json.loads(wired.removeprefix("\ufeff")) == expected
    assert list(json.loads(wired.removeprefix("\ufeff"))) == list(expected)
    assert SERVER.put(wired) == wired
    assert wired.startswith("\ufeff") == text.startswith("\ufeff")
    assert len(wired) - len(wired.rstrip()) == len(text) - len(text.rstrip())
    if servers:
        assert SERVER.take(wired) == text
    else:
        document.pop("mcpServers", None)
        assert jsonedit.read(SERVER.take(wired)) == document


@pytest.mark.parametrize("tool", TOOLS.values(), ids=lambda tool: tool.name)
@settings(deadline=None)
@given(document=OBJECTS, shape=SHAPES, foreign=st.lists(st.sampled_from(["lint", "interlocking hook x"]), max_size=2))
def test_hooks_of_others_survive_ours_coming_and_going(tool: Tool, document, shape, foreign):
    document.pop("hooks", None)
    assume(not set(document) & set(tool.fixed or {}))
    event = next(iter(tool.entries))
    theirs = [
        {"hooks": [{"type": "command", "command": name}]} if tool.nested_hooks else {"command": name}
        for name in foreign
    ]
    if theirs:
        document["hooks"] = {event: theirs, "Other": theirs}
    text, edit = written(document, shape), tool.hooking()
    wired = edit.put(text)
    found = jsonedit.read(wired)
    assert {key: value for key, value in found.items() if key not in ("hooks", *(tool.fixed or {}))} == {
        key: value for key, value in document.items() if key != "hooks"
    }
    assert set(found["hooks"]) == set(tool.entries) | ({"Other"} if theirs else set())
    for name, entry in tool.entries.items():
        assert found["hooks"][name] == (theirs if name == event else []) + [entry]
    assert edit.put(wired) == wired
    without = jsonedit.read(edit.take(wired))
    assert without.get("hooks") == document.get("hooks")
    assert edit.held(wired) is Held.CURRENT and edit.held(text) is Held.NOTHING


def test_old_hooks_of_ours_are_put_right_and_those_in_a_foreign_group_are_left():
    edit = TOOLS["claude"].hooking()
    old = {"hooks": [{"type": "command", "command": "/old/bin/interlock hook claude-code --fast", "timeout": 1}]}
    mixed = {"matcher": "Edit", "hooks": [{"command": "lint"}, {"command": "interlock hook claude-code"}]}
    text = json.dumps({"hooks": {"Notification": [old], "Stop": [old, old], "PreToolUse": [mixed]}})
    found = jsonedit.read(edit.put(text))["hooks"]
    assert "Notification" not in found
    assert found["Stop"] == [TOOLS["claude"].entries["Stop"]]
    assert found["PreToolUse"] == [mixed]
    assert jsonedit.read(edit.take(edit.put(text))) == {
        "hooks": {"PreToolUse": [{"matcher": "Edit", "hooks": [{"command": "lint"}]}]}
    }


@pytest.mark.parametrize(
    "text",
    ['{\n  // why\n  "mcpServers": {}\n}', "{", '{"a": NaN}', '{"mcpServers": []}', "[]", '{"a": 1,}', "[" * 9999],
)
def test_what_is_no_json_or_of_another_shape_is_refused(text):
    with pytest.raises(NotJsonError):
        SERVER.put(text)


def test_a_server_of_others_under_our_name_is_refused_and_left():
    text = '{"mcpServers": {"interlock": {"command": "door", "args": ["--lock"]}}}'
    with pytest.raises(UnfitError, match="something else"):
        SERVER.put(text)
    assert SERVER.take(text) == text


def test_a_server_that_somebody_changed_is_put_right():
    text = '{"mcpServers": {"interlock": {"command": "/opt/venv/bin/interlock", "args": ["mcp"]}}}'
    assert SERVER.held(text) is Held.DIFFERS
    assert jsonedit.get(SERVER.put(text), ("mcpServers", "interlock")) == TOOLS["claude"].stdio


@settings(deadline=None)
@given(st.text(alphabet="ab \n\r\t#<>", max_size=40), st.sampled_from([HASH, MARKDOWN]), st.booleans())
def test_a_block_comes_changes_and_goes_and_the_rest_stays(text, style, first):
    body = "line one\nline two"
    put = blocks.put(text, style, body, first=first)
    assert blocks.held(put, style) == body + "\n"
    assert blocks.put(put, style, body, first=first) == put
    changed = blocks.put(put, style, "other")
    assert blocks.put(changed, style, body) == put
    assert blocks.take(put, style).split() == text.split()


@pytest.mark.parametrize(
    "text", ["# interlock:begin\n", "# interlock:end\n# interlock:begin\n", "# interlock:begin\n# interlock:end\n" * 2]
)
def test_markers_that_do_not_pair_up_are_refused(text):
    with pytest.raises(TangledError):
        blocks.put(text, HASH, "x")


def test_settings_keep_what_others_wrote_and_are_read_as_written():
    text = "# mine\r\nOTHER=1\r\nexport INTERLOCK_URL = 'http://old'\r\nINTERLOCK_TOKEN=same"
    put = localenv.put(text, {"INTERLOCK_URL": "http://new", "INTERLOCK_TOKEN": "same", "INTERLOCK_AGENT": "a b"})
    assert put == (
        '# mine\r\nOTHER=1\r\nexport INTERLOCK_URL=http://new\r\nINTERLOCK_TOKEN=same\r\nINTERLOCK_AGENT="a b"\r\n'
    )
    assert localenv.put(put, {"INTERLOCK_AGENT": "a b"}) == put
    assert localenv.take(put) == "# mine\r\nOTHER=1\r\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[mcp_servers.interlock]\ncommand = 'x'\n", "outside our block"),
        ("mcp_servers = {}\n", "would not be read|no TOML"),
        ("a = \n", "no TOML"),
    ],
)
def test_toml_that_has_our_table_elsewhere_or_cannot_take_it_is_refused(text, why):
    with pytest.raises(UnfitError, match=why):
        codex.put(text)


def test_toml_of_others_stays_as_it_is():
    text = '# mine\r\nmodel = "x"\r\n\r\n[mcp_servers.other]\r\ncommand = "y"'
    put = codex.put(text)
    assert put.startswith(text) and codex.read(put)["mcp_servers"].keys() == {"other", "interlock"}
    assert codex.put(put) == put
    assert codex.take(put) == text + "\r\n"
