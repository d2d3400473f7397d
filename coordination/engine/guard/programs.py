"""All programs the reader knows, by name. Programs that only read, and those nobody described, are not in it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from . import edits, files, wrappers
from .calls import Program
from .gitwords import git

PROGRAMS: Mapping[str, Program] = MappingProxyType(
    # A package manager that is an interpreter, too (bun), hands on what it does not run itself.
    {**files.PROGRAMS, **edits.PROGRAMS, **wrappers.PROGRAMS, "git": git}
)
