"""All checks, in the order of the chain: this machine, the way to the server, what is wired, whether it fires."""

from mcp_gateway.agent.doctor import live, local, remote, wires

ALL = (*local.CHECKS, *remote.CHECKS, *wires.CHECKS, *live.CHECKS)
