"""What is known of a process."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Process:
    """A process: its id, when it started (text of the system's own, only to be compared), and its name."""

    pid: int
    started: str
    name: str
