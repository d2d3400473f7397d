"""Public identifiers: a prefix that says what it is, and a sortable body.

Inside, an id is a UUID (version 7, made here because production may be a Postgres without ``uuidv7()``).
Outside, it is ``clm_`` and 26 characters of Crockford base 32, which sorts by the time it was made.
"""

import secrets
import time
from uuid import UUID

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_LENGTH = 26


def new_id() -> UUID:
    """A fresh UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF000 << 64) | (0x7000 << 64)
    return UUID(int=value & ~(0xC000 << 48) | (0x8000 << 48))


def show(prefix: str, value: UUID) -> str:
    """The public form of an id, such as ``clm_01hx…``."""
    number = value.int
    parts = []
    for _ in range(_LENGTH // 2):
        parts.append(_PAIRS[number & 1023])
        number >>= 10
    parts.reverse()
    return f"{prefix}_{''.join(parts)}"


def parse(prefix: str, text: str) -> UUID | None:
    """The UUID behind a public id, or None where the text is no id of that kind."""
    body = text.removeprefix(prefix + "_")
    if len(body) != _LENGTH or len(text) != len(prefix) + 1 + _LENGTH:
        return None
    number = 0
    for character in body:
        value = _VALUES.get(character)
        if value is None:
            return None
        number = number << 5 | value
    return UUID(int=number) if number < 1 << 128 else None
