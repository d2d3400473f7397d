"""Brace expansion of scope patterns: `src/{a,b}/x` is two patterns.

Rule's source: claims.md, Patterns; concurrency.md, "Ground is a set with subtraction".

Alternatives are counted before they are written out, so that `{a,b}{a,b}...` costs its length, not its
expansion.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import PatternError

MAX_ALTERNATIVES = 64
MAX_DEPTH = 16

_TOO_MANY = f"at most {MAX_ALTERNATIVES} alternatives; claim several patterns instead"


@dataclass(slots=True)
class _Choice:
    """One `{...}`: its alternatives, each a run of text and nested choices."""

    alternatives: list[_Run] = field(default_factory=list)


_Run = list["str | _Choice"]


def expand(text: str) -> tuple[str, ...]:
    """Every alternative of `text` in writing order, without repeats; escapes and classes are left as written.

    Raises:
        PatternError: `bad_brace` for an unbalanced or too deeply nested brace, `too_many_alternatives` past
            64.
    """
    if "{" not in text and "}" not in text:
        return (text,)
    run = _read(text)
    if _count(run) > MAX_ALTERNATIVES:
        raise PatternError("too_many_alternatives", _TOO_MANY, text)
    return tuple(dict.fromkeys(_write(run)))


def _read(text: str) -> _Run:
    """The pattern as a run; a stack of open choices instead of recursion."""
    top: _Run = []
    stack: list[tuple[_Run, _Choice]] = []
    run, at = top, 0
    while at < len(text):
        char = text[at]
        end = at + 1
        if char == "\\":
            end = min(at + 2, len(text))
        elif char == "[":
            end = class_end(text, at)
        if char == "{":
            if len(stack) == MAX_DEPTH:
                raise PatternError("bad_brace", f"braces nest at most {MAX_DEPTH} deep", text)
            choice = _Choice([[]])
            run.append(choice)
            stack.append((run, choice))
            run = choice.alternatives[0]
        elif char == "," and stack:
            run = []
            stack[-1][1].alternatives.append(run)
        elif char == "}":
            if not stack:
                raise PatternError("bad_brace", "a } without its {; write \\} for the character", text)
            run, _ = stack.pop()
        else:
            run.append(text[at:end])
        at = end
    if stack:
        raise PatternError("bad_brace", "a { without its }; write \\{ for the character", text)
    return top


def class_end(text: str, start: int) -> int:
    """Index just after the class that opens at `start`; just after the `[` when it never closes."""
    at = start + 1
    if text[at : at + 1] in ("!", "^"):
        at += 1
    while at < len(text) and text[at] != "/":
        if text[at] == "]":
            return at + 1
        at += 2 if text[at] == "\\" else 1
    return start + 1


def _count(run: _Run) -> int:
    total = 1
    for part in run:
        if isinstance(part, _Choice):
            total *= sum(_count(alternative) for alternative in part.alternatives)
    return total


def _write(run: _Run) -> list[str]:
    written = [""]
    for part in run:
        endings = [part] if isinstance(part, str) else [e for a in part.alternatives for e in _write(a)]
        written = [start + end for start in written for end in endings]
    return written
