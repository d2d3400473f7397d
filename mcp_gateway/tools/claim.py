"""``claim``: ask for ground, wait for it, come back to a wait."""

from typing import Annotated, Self

from pydantic import Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from coordination.api.schemas.base import Id, Line, Mode, Prose, RepositorySlug, Urgency, WaitSeconds
from coordination.api.schemas.claims import MAX_PATHS, MAX_SCOPES, Scope
from mcp_gateway.tools import words
from mcp_gateway.tools.base import LONGEST_WAIT_S, Arguments, Caller, Given, Key, Shape, Step, Tool, Translation

_WITH_QUEUE = frozenset({"queue", "wait_seconds", "instance"})
_SCOPES = {
    "type": "object",
    "properties": {
        "pattern": {"type": "string"},
        "repository": {"type": "string"},
        "except": {"type": "array", "items": {"type": "object"}},
    },
}


class ClaimArguments(Arguments):
    """Either ground (``paths`` or ``scopes``) with its terms, or ``queue``."""

    paths: list[str] | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_PATHS,
        description="from the repository's root; globs * ? **; dir/ is all below; file:X that file alone",
    )
    scopes: list[Annotated[Scope, WithJsonSchema(_SCOPES)]] | None = Field(
        default=None, min_length=1, max_length=MAX_SCOPES, description="instead of paths, with exceptions"
    )
    repository: RepositorySlug | None = None
    mode: Mode = "exclusive"
    reason: Line = Field(default="", max_length=500, description="others read it")
    branch: Line = Field(default="", max_length=250)
    task: Line = Field(default="", max_length=60)
    ttl_seconds: int | None = Field(default=None, ge=1, le=366 * 24 * 3600)
    wait_seconds: WaitSeconds | None = Field(
        default=None, description="if taken, wait in line; a call is held 50 s at most, then go on with queue"
    )
    urgency: Urgency = "normal"
    takeover_reason: Prose = Field(default="", max_length=500)
    dry_run: bool = Field(default=False, description="only tell whether it is free")
    queue: Id | None = Field(default=None, description="go on waiting for this entry (que_…)")
    idempotency_key: Key | None = None

    @model_validator(mode="after")
    def _ground_or_queue(self) -> Self:
        if self.queue is not None:
            if beside := sorted(self.model_fields_set - _WITH_QUEUE):
                raise PydanticCustomError("one_of", "queue goes with wait_seconds only: leave out " + ", ".join(beside))
        elif (self.paths is None) == (self.scopes is None):
            raise PydanticCustomError("one_of", "send either paths or scopes, or queue to go on waiting")
        return self


_TERMS = tuple(name for name in ClaimArguments.model_fields if name not in ("instance", "queue", "idempotency_key"))


def translate(arguments: ClaimArguments, caller: Caller) -> Translation:
    """POST claims, or GET queue/{id}."""
    if arguments.queue is None:
        yield Step("claim_create", body=arguments.given(*_TERMS), key=arguments.idempotency_key)
    else:
        wait = int(LONGEST_WAIT_S) if arguments.wait_seconds is None else arguments.wait_seconds
        yield Step("queue_get", query={"wait_seconds": wait}, id=arguments.queue)


def tell(given: Given) -> str:
    """Granted, refused, waiting, or what a dry run found."""
    body = given.body
    if "code" in body:
        return words.refusal(body)
    if "free" in body:
        return _verdict(body)
    if "position" in body:
        return _entry(body)
    return _granted(body)


def _granted(claim: Shape) -> str:
    lines = [
        f"GRANTED: {words.held(claim)}, fence {claim['fence']}, until {words.clock(claim['expires_at'])}.",
        "Sync renews it. Release it when you are done.",
    ]
    if claim["took_over"]:
        lines.append("Taken over from a holder that had lapsed: look at what it left before you edit.")
    if claim["coexists_with"]:
        lines.append(f"Others have non-exclusive claims here: {', '.join(claim['coexists_with'][:10])}.")
    lines += [f"Note: {warning}" for warning in claim["warnings"]]
    return "\n".join(lines)


def _entry(entry: Shape) -> str:
    if entry["claim"] is not None and entry["state"] == "granted":
        return _granted(entry["claim"])
    where = f"{entry['id']} for {words.ground(entry['scopes'])}"
    if entry["state"] != "waiting":
        why = f" ({words.plain(entry['ended_why'])})" if entry["ended_why"] else ""
        return f"NOT GRANTED: {where} is {entry['state']}{why}. Claim again if you still want it."
    lines = [f"WAITING, NOT GRANTED YET: {where}, place {entry['position']}, until {words.clock(entry['deadline'])}."]
    if entry["waiting_for"]:
        lines.append(f"In the way: {', '.join(entry['waiting_for'][:10])}.")
    lines.append(f'Go on waiting: claim queue="{entry["id"]}". Give up: release queue="{entry["id"]}".')
    return "\n".join(lines)


def _verdict(verdict: Shape) -> str:
    if verdict["free"]:
        return "FREE (dry run: nothing was claimed)."
    lines = words.refusal(verdict | {"code": "dry run", "remedy": "claim something else, or wait with wait_seconds."})
    if verdict["narrow_to"]:
        lines += f"\nFree of it: {words.ground(verdict['narrow_to'])}"
    return lines


_SHOWS: tuple[str, ...] = (
    "id", "state", "scopes", "holder", "expires_at", "position", "free",
    "conflicts", "code", "detail", "narrow_to", "options",
)  # fmt: skip
CLAIM = Tool(
    name="claim",
    description=(
        "Claim ground before you edit it: all of it or nothing. A refusal says who holds it, until when, "
        "and what you can do."
    ),
    arguments=ClaimArguments,
    routes=("claim_create", "queue_get"),
    shows=_SHOWS,
    translate=translate,
    tell=tell,
    sets=("core", "full", "claims"),
)
