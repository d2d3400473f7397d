"""Questions to a person at a terminal; a script is told which flag answers instead."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mcp_gateway.agent.output import UserError, clean


class Asker:
    """Asks on the terminal, where there is one and questions are wanted."""

    def __init__(self, *, questions: bool) -> None:
        self.terminal = questions and sys.stdin.isatty() and sys.stderr.isatty()

    def line(self, question: str, flag: str) -> str:
        """What a person types; asked again while it is nothing. Raises UserError without a terminal."""
        self._need(question, flag)
        while True:
            said = _input(f"{question}: ").strip()
            if said:
                return said

    def secret(self, question: str, flag: str) -> str:
        """The same, not shown while it is typed."""
        self._need(question, flag)
        import getpass

        while True:
            try:
                said = getpass.getpass(f"{question}: ").strip()
            except EOFError:
                raise UserError("Nothing was said, nothing was written.") from None
            if said:
                return said

    def choice(self, question: str, options: Sequence[str], flag: str) -> int:
        """The number of the option a person chooses. Raises UserError, listing them, without a terminal."""
        if not self.terminal:
            listed = "\n".join(f"  {clean(option)}" for option in options)
            raise UserError(f"{question} Say which with {flag}:\n{listed}")
        print(question, file=sys.stderr)
        for number, option in enumerate(options, 1):
            print(f"  {number}  {clean(option)}", file=sys.stderr)
        while True:
            said = _input(f"1-{len(options)}: ").strip()
            if said.isdecimal() and 1 <= int(said) <= len(options):
                return int(said) - 1

    def yes(self, question: str) -> bool:
        """Whether a person agrees; without a terminal nobody does."""
        return self.terminal and _input(f"{question} [y/N] ").strip().lower() in ("y", "yes")

    def _need(self, question: str, flag: str) -> None:
        if not self.terminal:
            raise UserError(f"{question} is not known. Say it with {flag}, or run `interlock init` on a terminal.")


def _input(prompt: str) -> str:
    print(prompt, end="", file=sys.stderr, flush=True)
    said = sys.stdin.readline()
    if not said:
        raise UserError("Nothing was said, nothing was written.")
    return said
