"""Cursor.

Rests on (cursor.com/docs, "Hooks", "MCP", "Rules"): ``.cursor/mcp.json`` holds servers, with ``${env:NAME}`` and
``${workspaceFolder}`` put in; a server is not started in the workspace's folder, so it is told. ``.cursor/hooks.json``
needs ``"version": 1``, lists handlers by event with a timeout in seconds and a matcher, and ignores an event it does
not know without a word. Rules are ``.cursor/rules/*.mdc``, Markdown under a head of ``description``, ``globs`` and
``alwaysApply``. With "third-party hooks" switched on Cursor runs Claude Code's hooks of the same project, too: the
same edit is asked about twice, which changes nothing but the time it takes.
"""

from mcp_gateway.agent.wiring.tool import Tool, flat

WRITES = (
    "Write|Edit|MultiEdit|StrReplace|TabWrite|EditNotebook|NotebookEdit|search_replace|Delete|delete_file|ApplyPatch"
    "|apply_patch|Shell|Bash|run_terminal_cmd"
)
COMMAND = "interlock hook cursor"

CURSOR = Tool(
    name="cursor",
    title="Cursor",
    client="cursor",
    signs=(".cursor", ".cursorrules"),
    binaries=("cursor", "cursor-agent"),
    servers=".cursor/mcp.json",
    stdio={"command": "interlock", "args": ["mcp", "--root", "${workspaceFolder}"]},
    http={
        "url": "${env:INTERLOCK_URL}/mcp/${env:INTERLOCK_PROJECT}",
        "headers": {"Authorization": "Bearer ${env:INTERLOCK_TOKEN}"},
    },
    hooks_file=".cursor/hooks.json",
    nested_hooks=False,
    fixed={"version": 1},
    entries={
        event: flat(f"{COMMAND} {event}", timeout, matcher)
        for event, timeout, matcher in (
            ("sessionStart", 15, ""),
            ("beforeSubmitPrompt", 10, ""),
            ("preToolUse", 10, WRITES),
            ("postToolUse", 10, WRITES),
            ("stop", 10, ""),
            ("sessionEnd", 10, ""),
        )
    },
    document=".cursor/rules/interlock.mdc",
    head="---\ndescription: Working beside other agents\nalwaysApply: true\n---\n",
    notes=("Cursor starts a new MCP server after it is switched on in its settings (Tools & MCP).",),
)
