"""`interlock status`."""

from argparse import ArgumentParser, Namespace

from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import EXIT_YES

HELP = "x"


def arguments(parser: ArgumentParser) -> None:
    """None."""


def run(args: Namespace, context: Context) -> int:
    """Do it."""
    print(context.client.request("GET", "/api/v1/me"))
    return EXIT_YES
