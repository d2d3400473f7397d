"""The secret form of a token: ``ilk_<kind>_<random>_<checksum>`` (platform.md, "Tokens").

The prefix lets secret scanners find a leaked one; the checksum spots a typo before the database is asked.
"""

import hashlib
import re
import secrets
import zlib
from typing import NamedTuple

KINDS = ("agent", "service", "personal")
_SHAPE = re.compile(r"ilk_([a-z]+)_([0-9a-zA-Z]{32})_([0-9a-f]{8})")
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz"


class Secret(NamedTuple):
    """A fresh token: ``text`` is shown once, ``digest`` is stored, ``hint`` is what lists show."""

    text: str
    digest: bytes
    hint: str


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"


def mint(kind: str) -> Secret:
    """Make a token of a kind (agent, service, personal)."""
    body = f"ilk_{kind}_" + "".join(secrets.choice(_ALPHABET) for _ in range(32))
    text = f"{body}_{_checksum(body)}"
    return Secret(text, digest(text), f"ilk_{kind}_{body[-32:-28]}…")


def digest(text: str) -> bytes:
    """What is stored: SHA-256 (the secret has 180 bits of randomness, so no salt or stretching is needed)."""
    return hashlib.sha256(text.encode()).digest()


def well_formed(text: str) -> bool:
    """Whether shape and checksum are right, so a typo costs no look-up."""
    match = _SHAPE.fullmatch(text)
    if match is None or match[1] not in KINDS:
        return False
    return _checksum(text[: -len(match[3]) - 1]) == match[3]
