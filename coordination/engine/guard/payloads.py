"""Reads what the clients' hooks send.

Rests on what the clients publish, as seen in 2026-11:

* Claude Code: its hooks reference. Paths of file tools are absolute; `PowerShell` is the shell tool on Windows.
* Codex: its hooks documentation and the JSON schemas in its public source. `tool_input.command` is the command, or,
  for `apply_patch`, the patch; older shell tools send a list of words and a `workdir`.
* Cursor: its hooks reference and payloads recorded by others: file tools name `file_path`, early ones `path`; events
  of files carry no `cwd`; a workspace root may be written as the path of a URL (`/c:/work`).
* Gemini CLI: its hooks reference, and its tools reference for `write_file`, `replace` and `run_shell_command`.

Whatever the clients send besides is not looked at; contents of files and prompts are never copied.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .patches import patched
from .types import DELETE as DELETED
from .types import MAX_PATH, WRITE, Event, PayloadError, Reading, ToolUse, Touch

CLIENTS = ("claude-code", "codex", "cursor", "gemini")

# The session becomes a run's thread id, which is kept in so many characters.
MAX_SESSION = 200
MAX_COMMAND = 200_000
_MAX_NAME = 200

Payload = Mapping[str, Any]

_EVENTS: dict[str, dict[str, Event]] = {
    "claude-code": {
        "SessionStart": Event.SESSION_START,
        "UserPromptSubmit": Event.PROMPT,
        "PreToolUse": Event.PRE_TOOL,
        "PostToolUse": Event.POST_TOOL,
        "Stop": Event.STOP,
        "SubagentStop": Event.STOP,
        "SessionEnd": Event.SESSION_END,
    },
    "cursor": {
        "sessionStart": Event.SESSION_START,
        "beforeSubmitPrompt": Event.PROMPT,
        "preToolUse": Event.PRE_TOOL,
        "beforeShellExecution": Event.PRE_TOOL,
        "postToolUse": Event.POST_TOOL,
        "afterFileEdit": Event.POST_TOOL,
        "afterShellExecution": Event.POST_TOOL,
        "stop": Event.STOP,
        "subagentStop": Event.STOP,
        "sessionEnd": Event.SESSION_END,
    },
    "gemini": {
        "SessionStart": Event.SESSION_START,
        "BeforeAgent": Event.PROMPT,
        "BeforeTool": Event.PRE_TOOL,
        "AfterTool": Event.POST_TOOL,
        "AfterAgent": Event.STOP,
        "SessionEnd": Event.SESSION_END,
    },
}
_EVENTS["codex"] = _EVENTS["claude-code"]

# Tools that write the one file they name, by the fields that may name it.
_FILE_FIELDS = ("file_path", "notebook_path", "path", "filePath", "target_file")
_FILE_TOOLS = {
    "claude-code": frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"}),
    "codex": frozenset({"Edit", "Write"}),
    "cursor": frozenset(
        {"Write", "Edit", "MultiEdit", "StrReplace", "TabWrite", "EditNotebook", "NotebookEdit", "search_replace"}
    ),
    "gemini": frozenset({"write_file", "replace", "edit"}),
}
_DELETE_TOOLS = frozenset({"Delete", "delete_file"})
_PATCH_TOOLS = frozenset({"apply_patch", "ApplyPatch"})
_SHELL_TOOLS = {
    "claude-code": frozenset({"Bash"}),
    "codex": frozenset({"Bash", "shell", "local_shell", "shell_command", "exec_command", "unified_exec"}),
    "cursor": frozenset({"Shell", "Bash", "run_terminal_cmd"}),
    "gemini": frozenset({"run_shell_command"}),
}
_POWERSHELL_TOOLS = frozenset({"PowerShell"})
_COMMAND_FIELDS = ("command", "cmd")
_FOLDER_FIELDS = ("workdir", "working_directory", "dir_path", "directory")
_URL_DRIVE = re.compile(r"/([A-Za-z]):(?=[\\/]|$)")


def read(client: str, payload: Payload, event: str = "") -> ToolUse:
    """What a hook call of `client` says.

    Args:
        client: one of `CLIENTS`.
        payload: the JSON object the client sent.
        event: the client's name of the event, where the payload does not say it.

    Raises:
        PayloadError: it cannot be understood; the message says why and holds nothing of the payload's contents.
    """
    if client not in CLIENTS:
        raise PayloadError(f"{client!r} is no client the guard knows: {', '.join(CLIENTS)}")
    if not isinstance(payload, Mapping):
        raise PayloadError("the hook's payload is not a JSON object")
    name = _text(payload, "hook_event_name", _MAX_NAME) or event
    kind = _EVENTS[client].get(name)
    if kind is None:
        raise PayloadError(f"{name[:60]!r} is no event of {client} the guard answers")
    tool, reading = _text(payload, "tool_name", _MAX_NAME), Reading()
    if kind in (Event.PRE_TOOL, Event.POST_TOOL):
        tool, reading = (
            _cursor_tool(name, tool, payload) if client == "cursor" else (tool, _tool(client, tool, payload))
        )
    return ToolUse(
        event=kind,
        session=_session(client, payload),
        cwd=_cursor_root(payload, reading) if client == "cursor" else _text(payload, "cwd", MAX_PATH),
        tool=tool,
        touches=reading.touches,
        dangers=reading.dangers,
        source=_source(name, kind, payload),
        model=_model(payload),
        parent=_parent(payload),
        opaque=reading.opaque,
    )


def _parent(payload: Payload) -> str:
    return _text(payload, "parent_session_id", MAX_SESSION) or _text(payload, "parent_conversation_id", MAX_SESSION)


def _session(client: str, payload: Payload) -> str:
    fields = ("conversation_id", "session_id") if client == "cursor" else ("session_id",)
    for field in fields:
        if session := _text(payload, field, MAX_SESSION):
            return session
    raise PayloadError(f"the hook's payload has no {fields[0]}, so it cannot be told whose call it is")


def _source(name: str, kind: Event, payload: Payload) -> str:
    if name in ("SubagentStop", "subagentStop"):
        return "subagent"
    if kind is Event.SESSION_START:
        return _text(payload, "source", _MAX_NAME)
    return _text(payload, "reason", _MAX_NAME) if kind is Event.SESSION_END else ""


def _model(payload: Payload) -> str:
    model = payload.get("model")
    if isinstance(model, Mapping):
        model = model.get("id")
    return model if isinstance(model, str) and len(model) <= _MAX_NAME and _plain(model) else ""


def _text(payload: Payload, field: str, most: int) -> str:
    """A field that is text or absent.

    Raises:
        PayloadError: it is something else, too long, or holds what no name can hold.
    """
    value = payload.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PayloadError(f"{field} of the hook's payload is not text")
    if len(value) > most:
        raise PayloadError(f"{field} of the hook's payload is longer than {most} characters")
    if not _plain(value):
        raise PayloadError(f"{field} of the hook's payload holds characters that no name can hold")
    return value


def _plain(text: str) -> bool:
    # A lone half of a surrogate pair is legal in JSON and can be neither stored nor sent on.
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _input(payload: Payload, field: str = "tool_input") -> Payload:
    value = payload.get(field)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise PayloadError(f"{field} of the hook's payload is not an object")
    return value


def _tool(client: str, tool: str, payload: Payload) -> Reading:
    if not tool:
        raise PayloadError("the hook's payload has no tool_name")
    if tool in _PATCH_TOOLS:
        return _patch(payload.get("tool_input"))
    if tool in _FILE_TOOLS[client]:
        return _file(_input(payload), WRITE)
    if client == "cursor" and tool in _DELETE_TOOLS:
        return _file(_input(payload), DELETED)
    if tool in _SHELL_TOOLS[client] or tool in _POWERSHELL_TOOLS:
        return _shell(_input(payload), _text(payload, "cwd", MAX_PATH), powershell=tool in _POWERSHELL_TOOLS)
    return Reading()


def _file(fields: Payload, action: str) -> Reading:
    for field in _FILE_FIELDS:
        if path := _text(fields, field, MAX_PATH):
            return Reading((Touch(path, action),))
    raise PayloadError("the hook's payload names no file the tool is to write")


def _patch(given: object) -> Reading:
    """The files of a patch, wherever a version of the client puts its text."""
    texts: list[object] = [given]
    if isinstance(given, Mapping):
        texts = [given.get(field) for field in ("command", "input", "patch", "patch_text")]
    for words in texts:
        text = words
        if isinstance(words, Sequence) and not isinstance(words, str):
            text = next((word for word in words if isinstance(word, str) and "***" in word), None)
        if isinstance(text, str):
            touches = tuple(touch for touch in patched(text) if _plain(touch.path) and len(touch.path) <= MAX_PATH)
            return Reading(touches, opaque=not touches)
    raise PayloadError("the hook's payload holds no patch")


def _shell(fields: Payload, cwd: str, *, powershell: bool = False) -> Reading:
    from .shell import read_argv, read_command, read_powershell  # noqa: PLC0415 - most calls need none of it

    command = next((fields[field] for field in _COMMAND_FIELDS if fields.get(field) is not None), None)
    start = next((folder for field in _FOLDER_FIELDS if (folder := _text(fields, field, MAX_PATH))), "")
    if isinstance(command, str):
        reader = read_powershell if powershell else read_command
        return reader(command, cwd, start) if len(command) <= MAX_COMMAND else Reading(opaque=True)
    if isinstance(command, Sequence) and command and all(isinstance(word, str) for word in command):
        short = sum(map(len, command)) <= MAX_COMMAND
        return read_argv(list(command), cwd, start) if short else Reading(opaque=True)
    raise PayloadError("the hook's payload holds no command")


def _cursor_tool(name: str, tool: str, payload: Payload) -> tuple[str, Reading]:
    cwd = _text(payload, "cwd", MAX_PATH)
    if name in ("beforeShellExecution", "afterShellExecution"):
        return tool or "Shell", _shell(payload, cwd)
    if name == "afterFileEdit":
        return tool or "Edit", _file(payload, WRITE)
    given = payload.get("tool_input")
    if not tool:
        # Some versions leave the name out; what the tool is given tells a command and a file from the rest.
        tool = _guessed(given)
    return tool, _tool("cursor", tool, payload)


def _guessed(given: object) -> str:
    if isinstance(given, str):
        return "ApplyPatch"
    if isinstance(given, Mapping):
        if "command" in given:
            return "Shell"
        written = {"contents", "content", "new_string", "edits"} & given.keys()
        if written and any(field in given for field in _FILE_FIELDS):
            return "Write"
    return ""


def _cursor_root(payload: Payload, reading: Reading) -> str:
    """The folder the call is made in: Cursor's file events tell only the roots of the workspace."""
    if cwd := _text(payload, "cwd", MAX_PATH):
        return _local(cwd)
    roots = payload.get("workspace_roots")
    if roots is None:
        return ""
    if not isinstance(roots, Sequence) or isinstance(roots, str):
        raise PayloadError("workspace_roots of the hook's payload is not a list")
    texts = [_local(_text({"workspace_roots": root}, "workspace_roots", MAX_PATH)) for root in roots]
    for touch in reading.touches:
        holding = [root for root in texts if root and touch.path.startswith(root)]
        if holding:
            return max(holding, key=len)
    return texts[0] if texts else ""


def _local(path: str) -> str:
    return _URL_DRIVE.sub(r"\1:", path, count=1) if _URL_DRIVE.match(path) else path
