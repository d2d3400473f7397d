"""Claude Code.

Rests on (code.claude.com/docs, "MCP" and "Hooks"): ``.mcp.json`` at the top of the project holds the servers a project
shares; ``${NAME}`` is put in from the environment in ``command``, ``args``, ``env``, ``url`` and ``headers``, and
stays as it is written where the variable is not set, which is why a placeholder is never taken for a token.
``.claude/settings.json`` holds hooks: event, matcher (a pattern of tool names), handlers with a timeout in seconds.
Hooks and servers of a project wait for a person to trust the folder; ``disableAllHooks`` turns all of them off.
A ``SessionEnd`` handler without a timeout of its own is cut after 1.5 seconds.
"""

from mcp_gateway.agent.wiring.tool import Tool, nested

WRITES = "Edit|Write|MultiEdit|NotebookEdit|Bash|PowerShell"
COMMAND = "interlock hook claude-code"

CLAUDE = Tool(
    name="claude",
    title="Claude Code",
    client="claude-code",
    signs=("CLAUDE.md", ".claude", ".mcp.json"),
    binaries=("claude",),
    servers=".mcp.json",
    stdio={"command": "interlock", "args": ["mcp"]},
    http={
        "type": "http",
        "url": "${INTERLOCK_URL}/mcp/${INTERLOCK_PROJECT}",
        "headers": {"Authorization": "Bearer ${INTERLOCK_TOKEN}"},
    },
    hooks_file=".claude/settings.json",
    entries={
        "SessionStart": nested(COMMAND, 15),
        "UserPromptSubmit": nested(COMMAND, 10),
        "PreToolUse": nested(COMMAND, 10, WRITES),
        "PostToolUse": nested(COMMAND, 10, WRITES),
        "Stop": nested(COMMAND, 10),
        "SessionEnd": nested(COMMAND, 10),
    },
    document="CLAUDE.md",
    notes=("Claude Code asks once to trust the folder and its MCP server; until then neither runs.",),
)
