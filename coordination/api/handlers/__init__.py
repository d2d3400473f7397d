"""One thin function per route: read the call, call one service or selector, return its answer."""

from typing import Any

from coordination.api.etag import tag
from coordination.services.results import Answer


def shown(body: dict[str, Any]) -> Answer:
    """A selector's answer."""
    return Answer("ok", body)


def made(body: dict[str, Any], location: str = "") -> Answer:
    """Something new, with its address."""
    return Answer("created", body, headers={"Location": location} if location else {})


def document(body: dict[str, Any]) -> Answer:
    """A stored document with its ETag."""
    return Answer("ok", body, headers={"ETag": tag(body["version"])})


def made_document(body: dict[str, Any], location: str) -> Answer:
    """A new stored document with its ETag and address."""
    return Answer("created", body, headers={"ETag": tag(body["version"]), "Location": location})


def gone() -> Answer:
    """Done, and nothing left to show."""
    return Answer("empty", {})
