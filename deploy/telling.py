"""What `manage.py up` reads from its surroundings and tells people. Standard library only."""

import json
import os
import sys
import time
from pathlib import Path


def given(name: str) -> str:
    """A setting from the environment, or from the file ``NAME_FILE`` names; empty when there is none."""
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text().strip()
    return os.environ.get(name, "")


class Progress:
    """Says lines on standard error, with the seconds since the start."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def __call__(self, line: str) -> None:
        """Says one line."""
        print(f"interlock [{time.monotonic() - self._started:6.1f} s] {line}", file=sys.stderr, flush=True)


def show(found: dict[str, str], directory: Path, *, as_json: bool, embedded: bool) -> None:
    """Tells on standard output where everything is; secrets only when ``found`` has them, just created."""
    if as_json:
        print(json.dumps(found), flush=True)
        return
    kept = directory / "credentials.json"
    rows = [
        ("dashboard", found["url"]),
        ("sign in as", found["admin_email"]),
        ("password", found.get("admin_password", "")),
        ("agent token", found.get("agent_token", "")),
        ("MCP endpoint", found["mcp_url"]),
        ("credentials", f"{kept} (readable by you only)" if embedded and kept.exists() else ""),
        ("logs", str(directory / "logs")),
    ]
    print("\nInterlock is up.\n")
    for name, value in rows:
        if value:
            print(f"  {name:<13}{value}")
    # The token is asked for: on a command line it would stay in the shell's history.
    wiring = f"interlock init --url {found['url']} --project {found['team']}/{found['project']}"
    print(
        f"\nWire a repository of yours (it asks for the agent token):\n\n  pip install {found['wheel_url']}\n  {wiring}"
    )
    print("\nOr watch agents share one:\n\n  python3 docs/examples/guarded_agents.py\n")
    print("\nCtrl-C stops everything; the data stays, and `up` goes on with it.\n", flush=True)
