"""Codex.

Rests on (developers.openai.com/codex, "Hooks", "MCP", "Config reference"; openai/codex pull request 21969): a project's
``.codex/config.toml`` holds ``[mcp_servers.NAME]``, read in trusted projects only. A server started by Codex gets
a short list of variables and those named in ``env_vars``; ``url`` is taken literally, so an HTTP entry would put an
address into a tracked file: the entry is always the command. ``.codex/hooks.json`` (nothing but ``description``
and ``hooks`` at its root, else the file is refused) has Claude Code's shape; the matcher names ``Bash`` and
``apply_patch``, with ``Edit`` and ``Write`` as other names of the latter; timeouts are whole seconds, at most 3 for
``SessionEnd``. A hook runs after a person trusted that very definition (``/hooks``); without it is skipped without
a word. A linked worktree uses the hooks of the main one. Hooks are on unless ``[features] hooks = false``;
versions before 0.129 want ``codex_hooks = true`` there.
"""

import tomllib
from typing import Any

from mcp_gateway.agent.wiring import blocks
from mcp_gateway.agent.wiring.blocks import HASH
from mcp_gateway.agent.wiring.edits import Edit, UnfitError
from mcp_gateway.agent.wiring.tool import Tool, nested

WRITES = "Bash|apply_patch|Edit|Write"
COMMAND = "interlock hook codex"
CONFIG = ".codex/config.toml"
TABLE = """\
[mcp_servers.interlock]
command = "interlock"
args = ["mcp"]
env_vars = ["INTERLOCK_URL", "INTERLOCK_TOKEN", "INTERLOCK_PROJECT", "INTERLOCK_AGENT", "INTERLOCK_INSTANCE"]
tool_timeout_sec = 120
"""


def read(text: str) -> dict[str, Any]:
    """The values of a TOML text. Raises UnfitError."""
    try:
        return tomllib.loads(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        raise UnfitError(f"it is no TOML ({error})") from None


def put(text: str) -> str:
    """The file with our table in a managed block. Raises UnfitError where the table stands elsewhere."""
    servers = read(blocks.take(text, HASH)).get("mcp_servers")
    if isinstance(servers, dict) and "interlock" in servers:
        raise UnfitError("it has a table `mcp_servers.interlock` outside our block")
    changed = blocks.put(text, HASH, TABLE)
    if read(changed).get("mcp_servers", {}).get("interlock") != read(TABLE)["mcp_servers"]["interlock"]:
        raise UnfitError("our table would not be read as one there")
    return changed


def take(text: str) -> str:
    """The file without our block."""
    return blocks.take(text, HASH)


SERVER = Edit(CONFIG, "MCP server", put, take, TABLE.rstrip(), "codex")

CODEX = Tool(
    name="codex",
    title="Codex",
    client="codex",
    signs=(".codex",),
    binaries=("codex",),
    servers=CONFIG,
    stdio={},
    http=None,
    server_edit=SERVER,
    hooks_file=".codex/hooks.json",
    entries={
        "SessionStart": nested(COMMAND, 15),
        "UserPromptSubmit": nested(COMMAND, 10),
        "PreToolUse": nested(COMMAND, 10, WRITES),
        "PostToolUse": nested(COMMAND, 10, WRITES),
        "Stop": nested(COMMAND, 10),
        "SessionEnd": nested(COMMAND, 3),
    },
    document="AGENTS.md",
    notes=(
        "Codex runs a hook after a person trusted it: start `codex` here, type /hooks, trust those of Interlock. "
        "Until then it skips them without a word.",
    ),
)
