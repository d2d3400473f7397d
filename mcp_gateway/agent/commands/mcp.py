"""`interlock mcp`: the gateway's tools over stdio."""

from argparse import ArgumentParser, Namespace

from mcp_gateway.agent import bridge
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_YES

HELP = "the gateway's tools over stdio, for MCP clients"
ABOUT = """\
the gateway's tools over stdio, for MCP clients.

Carries each message to the server with this checkout's token, and the run of the session that started it: what a
model does through tools, and what it does in a shell, is one and the same run.
"""


def arguments(parser: ArgumentParser) -> None:
    """Which tools."""
    parser.add_argument("--tools", default="", metavar="SET", help="core (default), full, claims, board or control")


def run(args: Namespace, context: Context) -> int:
    """Until the client closes its end."""
    bridge.run(args.tools)
    return EXIT_YES
