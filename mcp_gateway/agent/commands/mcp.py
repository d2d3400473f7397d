"""`interlock mcp`: the gateway's tools over stdio."""

import os
from argparse import ArgumentParser, Namespace

from mcp_gateway.agent import bridge
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_YES, UserError

HELP = "the gateway's tools over stdio, for MCP clients"
ABOUT = """\
the gateway's tools over stdio, for MCP clients.

Carries each message to the server with this checkout's token, and the run of the session that started it: what a
model does through tools, and what it does in a shell, is one and the same run.
"""


def arguments(parser: ArgumentParser) -> None:
    """Which tools, and for which checkout."""
    parser.add_argument("--tools", default="", metavar="SET", help="core (default), full, claims, board or control")
    parser.add_argument(
        "--root", default="", metavar="FOLDER", help="the checkout, where the client starts us elsewhere"
    )


def run(args: Namespace, context: Context) -> int:
    """Until the client closes its end."""
    # A client that does not know the variable in its configuration hands it on as it is written.
    if args.root and "$" not in args.root:
        try:
            os.chdir(args.root)
        except OSError as error:
            raise UserError(f"--root {args.root}: {error.strerror or error}.") from None
    bridge.run(args.tools)
    return EXIT_YES
