"""The one error the pattern grammar raises, with a stable rule code for programs and advice for people."""

from __future__ import annotations


class PatternError(ValueError):
    """A pattern the grammar refuses (claims.md, Patterns: "anything else is 422 naming the pattern and the
    rule").

    Attributes:
        rule: stable snake_case code (`empty`, `absolute`, `dot_segment`, ...), safe to branch on.
        detail: one sentence that says what to do instead.
        pattern: the text as it was given.
    """

    def __init__(self, rule: str, detail: str, pattern: str) -> None:
        super().__init__(f"{pattern!r}: {detail}")
        self.rule = rule
        self.detail = detail
        self.pattern = pattern

    def __reduce__(self) -> tuple[type[PatternError], tuple[str, str, str]]:
        """Pickle by the three arguments; ValueError's default would pass the message alone and fail."""
        return type(self), (self.rule, self.detail, self.pattern)
