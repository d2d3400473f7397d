"""Gemini CLI.

Rests on (geminicli.com/docs, "Hooks reference", "MCP servers", "Trusted folders"): ``.gemini/settings.json`` holds
``mcpServers`` (``httpUrl`` is streamable HTTP, ``url`` is SSE; ``$NAME`` and ``${NAME}`` are put in) and ``hooks``
by event, with matchers (patterns for tools), named handlers, timeouts in milliseconds. The file may hold comments;
then it is left alone. An untrusted folder's settings are not read, ``hooksConfig.enabled: false`` turns hooks off,
and variables that look like secrets are kept from servers, which is one more reason for ``.interlock/local.env``.
"""

from mcp_gateway.agent.wiring.tool import Tool, nested

WRITES = "write_file|replace|run_shell_command"
COMMAND = "interlock hook gemini"
SECOND = 1000

GEMINI = Tool(
    name="gemini",
    title="Gemini CLI",
    client="gemini",
    signs=("GEMINI.md", ".gemini"),
    binaries=("gemini",),
    servers=".gemini/settings.json",
    stdio={"command": "interlock", "args": ["mcp"]},
    http={
        "httpUrl": "${INTERLOCK_URL}/mcp/${INTERLOCK_PROJECT}",
        "headers": {"Authorization": "Bearer ${INTERLOCK_TOKEN}"},
    },
    hooks_file=".gemini/settings.json",
    entries={
        "SessionStart": nested(COMMAND, 15 * SECOND, name="interlock"),
        "BeforeAgent": nested(COMMAND, 10 * SECOND, name="interlock"),
        "BeforeTool": nested(COMMAND, 10 * SECOND, WRITES, name="interlock"),
        "AfterTool": nested(COMMAND, 10 * SECOND, WRITES, name="interlock"),
        "AfterAgent": nested(COMMAND, 10 * SECOND, name="interlock"),
        "SessionEnd": nested(COMMAND, 10 * SECOND, name="interlock"),
    },
    document="GEMINI.md",
    notes=("Gemini CLI reads a project's settings once its folder is trusted.",),
)
