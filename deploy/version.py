"""Which release this checkout is, from pyproject.toml. Standard library only."""

import tomllib
from pathlib import Path

VERSION = str(
    tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())["project"]["version"]
)
# Where the web process serves the agents' command (mcp_gateway/download.py).
WHEEL_PATH = f"/agent/interlock-{VERSION}-py3-none-any.whl"
