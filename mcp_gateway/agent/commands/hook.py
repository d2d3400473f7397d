"""`interlock hook CLIENT [EVENT]`: what a client's hook calls. The payload comes on standard input."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from coordination.engine.guard.payloads import CLIENTS
from mcp_gateway.agent.hooks import entry

if TYPE_CHECKING:  # called at every edit: no parser is built
    from argparse import ArgumentParser, Namespace

    from mcp_gateway.agent.context import Context

HELP = "what a client's hook calls at each edit; the payload comes on standard input"


def quick(arguments: Sequence[str], context: "Context") -> int | None:
    """Answer without a parser."""
    return entry.main(arguments, context.env)


def arguments(parser: "ArgumentParser") -> None:
    """For the help and for completion."""
    parser.add_argument("client", choices=CLIENTS, help="who calls")
    parser.add_argument("event", nargs="?", default="", help="the event, where the client does not say it itself")


def run(args: "Namespace", context: "Context") -> int:
    """The same."""
    return entry.main([args.client, args.event], context.env)
