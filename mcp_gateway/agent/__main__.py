"""`python -m mcp_gateway.agent`: the same as `interlock`."""

import sys

from mcp_gateway.agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
