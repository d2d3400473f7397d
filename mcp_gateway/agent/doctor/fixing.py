"""What `--fix` does: write again what `interlock init` wrote, from the settings that are there. Asks nobody."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp_gateway.agent.context import Context
from mcp_gateway.agent.output import UserError
from mcp_gateway.agent.repo import checkout_of
from mcp_gateway.agent.settings import NAMES, is_placeholder, read
from mcp_gateway.agent.wiring import build, localenv
from mcp_gateway.agent.wiring.edits import UnfitError
from mcp_gateway.agent.wiring.plan import ChangedError
from mcp_gateway.agent.wiring.tools import wired


def fix(context: Context) -> list[str]:
    """One line for each file that was put right. Raises UserError where there are no settings to go by."""
    checkout = checkout_of(context.cwd)
    if checkout is None:
        raise UserError("--fix needs a git repository.")
    _ = context.settings  # NotConfigured says `interlock init`, which asks what is missing
    kept = read(build.settings_file(checkout))
    values = {name: kept[name] for name in NAMES if kept.get(name) and not is_placeholder(kept[name])}
    if values:
        values[localenv.COMMAND] = Path(sys.executable).as_posix()
    try:
        plan = build.wire(build.Wiring(checkout, wired(checkout.top), values))
        told = [f"{done} {path} ({what})" for done, path, what in build.lines(plan, checkout.top) if done != "kept"]
        build.apply(plan, checkout)
    except (UnfitError, ChangedError) as error:
        raise UserError(f"Nothing was written: {error}.") from None
    return told
