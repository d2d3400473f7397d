"""The registry of tools, in the order they are listed."""

from functools import cache

from mcp_gateway.tools.base import Tool
from mcp_gateway.tools.claim import CLAIM
from mcp_gateway.tools.message import MESSAGE
from mcp_gateway.tools.release import RELEASE
from mcp_gateway.tools.sync import SYNC
from mcp_gateway.tools.verify import VERIFY
from tenants.permissions import Permission

TOOLS: tuple[Tool, ...] = (SYNC, CLAIM, RELEASE, MESSAGE, VERIFY)
SETS = ("core", "full", "claims", "board", "control")
DEFAULT_SET = "core"


@cache
def tools_of(name: str) -> dict[str, Tool]:
    """The tools of a set, by name."""
    return {tool.name: tool for tool in TOOLS if name in tool.sets}


@cache
def scopes_of(name: str) -> tuple[Permission, ...]:
    """All that the tools of a set ask for together."""
    return tuple(sorted({permission for tool in tools_of(name).values() for permission in tool.permissions}))
