"""docs/generated/tools.md, from the registry: what `manage.py docs` writes."""

from collections.abc import Iterator
from typing import Any

from mcp_gateway.protocol import INSTRUCTIONS
from mcp_gateway.tools import SETS, TOOLS, tools_of
from mcp_gateway.tools.base import BY_NAME, Tool

_HEAD = """\
<!-- Made by `python3 manage.py docs`. Change mcp_gateway/tools instead. -->
# MCP tools

What [the MCP door](../concepts/mcp.md) lists, as clients get it. Each tool calls the routes named with it, and needs
what they need; its structured answer is the body that REST has for the same.

"""


def document() -> str:
    """The page."""
    sets = "\n".join(f"| `?tools={name}` | {', '.join(tools_of(name))} |" for name in SETS)
    parts = [_HEAD, f"| set | tools |\n|---|---|\n{sets}\n\n"]
    parts += [f"## What a client is told first\n\n{_quoted(INSTRUCTIONS)}\n\n"]
    for tool in TOOLS:
        parts += _tool(tool)
    return "".join(parts).rstrip() + "\n"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}  " for line in text.splitlines()).rstrip()


def _tool(tool: Tool) -> Iterator[str]:
    listed = tool.listed(per_project=True)
    yield f"## {tool.name}\n\n{tool.description}\n\n"
    calls = ", ".join(f"`{BY_NAME[name].method} {BY_NAME[name].path}`" for name in tool.routes)
    yield f"- Calls {calls}.\n"
    yield f"- Needs {', '.join(f'`{permission}`' for permission in tool.permissions)}.\n"
    hints = {
        "reads only": tool.hints.read_only,
        "may destroy": tool.hints.destructive,
        "twice is once": tool.hints.idempotent,
        "reaches beyond Interlock": False,
    }
    yield f"- Annotations: {', '.join(f'{name}: {_yes(hint)}' for name, hint in hints.items())}.\n\n"
    yield "| argument | type | |\n|---|---|---|\n"
    needed = set(listed.input_schema.get("required", ()))
    for name, member in listed.input_schema["properties"].items():
        said = [member["description"]] if "description" in member else []
        said += ["required"] if name in needed else []
        yield f"| `{name}` | {_type(member)} | {'; '.join(said)} |\n"
    members = ", ".join(f"`{name}`" for name in (listed.output_schema or {})["properties"])
    yield f"\nIts structured answers have, among others: {members}.\n\n"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _type(member: dict[str, Any]) -> str:
    if "enum" in member:
        return ", ".join(f"`{word}`" for word in member["enum"])
    if "items" in member:
        return f"list of {_type(member['items'])}"
    shown = str(member["type"])
    if "minimum" in member or "maximum" in member:
        shown += f", {member.get('minimum', '')} to {member.get('maximum', '')}"
    return shown
