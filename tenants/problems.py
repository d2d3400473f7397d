"""Every mistake has one name, one status and one way out, the same at every door (RFC 9457).

A refusal (a claim that met another) is a result, not a problem: see coordination.services.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple


class Code(StrEnum):
    """The documented problem codes: never renamed, never reused."""

    MALFORMED_JSON = "malformed_json"
    BAD_REQUEST = "bad_request"
    UNAUTHENTICATED = "unauthenticated"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - a code, not a secret
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    FORBIDDEN = "forbidden"
    CSRF_FAILED = "csrf_failed"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    CONFLICT = "conflict"
    ALREADY_EXISTS = "already_exists"
    CLAIM_CONFLICT = "claim_conflict"
    DEADLOCK = "deadlock"
    LOST = "lost"
    INSTANCE_SUPERSEDED = "instance_superseded"
    INSTANCE_ENDED = "instance_ended"
    FROZEN = "frozen"
    POOL_EXHAUSTED = "pool_exhausted"
    LAST_OWNER = "last_owner"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    CURSOR_EXPIRED = "cursor_expired"
    PRECONDITION_FAILED = "precondition_failed"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID = "invalid"
    INSTANCE_REQUIRED = "instance_required"
    LIMIT_EXCEEDED = "limit_exceeded"
    RATE_LIMITED = "rate_limited"
    INTERNAL = "internal"
    NOT_SERVED = "not_served"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"


class Entry(NamedTuple):
    """What the catalogue says of a code."""

    status: int
    title: str
    remedy: str


CATALOGUE: Mapping[Code, Entry] = {
    Code.MALFORMED_JSON: Entry(400, "The body is not JSON", "Send one JSON object, UTF-8."),
    Code.BAD_REQUEST: Entry(400, "The request cannot be read", "See the detail."),
    Code.UNAUTHENTICATED: Entry(401, "Who is asking?", "Send `Authorization: Bearer ilk_…` with a token of this team."),
    Code.TOKEN_EXPIRED: Entry(401, "The token has expired", "Ask an admin of the team for a new token."),
    Code.TOKEN_REVOKED: Entry(401, "The token was revoked", "Ask an admin of the team for a new token."),
    Code.FORBIDDEN: Entry(403, "Not allowed", "Use a credential that has the permissions named in `needs`."),
    Code.CSRF_FAILED: Entry(403, "The form's token is missing or old", "Reload the page and send it again."),
    Code.NOT_FOUND: Entry(404, "There is no such thing here", "Check the id, the team and the project."),
    Code.METHOD_NOT_ALLOWED: Entry(405, "This address does not take that method", "Use a method named in `Allow`."),
    Code.NOT_ACCEPTABLE: Entry(406, "That media type is not offered here", "Ask for application/json."),
    Code.CONFLICT: Entry(409, "The state changed meanwhile", "Read it again and decide anew."),
    Code.ALREADY_EXISTS: Entry(409, "That name is taken", "Choose another name, or use what is there."),
    Code.CLAIM_CONFLICT: Entry(409, "Others hold or await this ground", "Take one of the `options`."),
    Code.DEADLOCK: Entry(409, "Waiting would close a circle", "Give up what `give_up` names first, then ask again."),
    Code.LOST: Entry(409, "This claim is no longer held", "Stop editing, look at `held_by`, and claim again."),
    Code.INSTANCE_SUPERSEDED: Entry(409, "A newer copy of this run took over", "Stop, or register as a new instance."),
    Code.INSTANCE_ENDED: Entry(409, "This instance has ended", "Register again (POST instances)."),
    Code.FROZEN: Entry(409, "The project is frozen", "Wait until a person thaws it; `detail` says why and by whom."),
    Code.POOL_EXHAUSTED: Entry(409, "No number is free in this range", "Widen the range or release a number."),
    Code.LAST_OWNER: Entry(409, "A team keeps at least one owner", "Make somebody else owner first."),
    Code.IDEMPOTENCY_IN_FLIGHT: Entry(409, "The first request with this key still runs", "Wait and send it again."),
    Code.IDEMPOTENCY_MISMATCH: Entry(
        422, "This key was used for another request", "Use a new Idempotency-Key for a new request."
    ),
    Code.CURSOR_EXPIRED: Entry(410, "The ledger no longer reaches back to this cursor", "Start from `oldest_cursor`."),
    Code.PRECONDITION_FAILED: Entry(412, "Somebody wrote in between", "Read it again and send its new ETag."),
    Code.TOO_LARGE: Entry(413, "The body is too large", "Send less at once; `limit` is in bytes. Nothing was stored."),
    Code.UNSUPPORTED_MEDIA_TYPE: Entry(415, "Only JSON is taken here", "Send Content-Type: application/json."),
    Code.INVALID: Entry(422, "Some values are not right", "Mend the fields named in `errors`."),
    Code.INSTANCE_REQUIRED: Entry(
        422, "Which run is acting?", "Register (POST instances) and send its handle as Interlock-Instance."
    ),
    Code.LIMIT_EXCEEDED: Entry(422, "Over a limit of this team", "Ask for less; the figure and limit are given."),
    Code.RATE_LIMITED: Entry(429, "Too many requests", "Wait for Retry-After seconds."),
    Code.INTERNAL: Entry(500, "That was our mistake", "Send it again; quote the request id if it happens again."),
    Code.NOT_SERVED: Entry(501, "Not served yet", "See the changelog."),
    Code.BUSY: Entry(503, "Too many are deciding over this ground right now", "Send it again after Retry-After."),
    Code.UNAVAILABLE: Entry(503, "The store cannot be reached right now", "Send it again after Retry-After."),
}


class FieldError(NamedTuple):
    """One wrong field: where it is (``scopes.0.pattern``), a stable code, and what to do about it."""

    field: str
    code: str
    detail: str


class Problem(Exception):
    """A mistake of the caller (or of ours) on its way to a problem document.

    ``extra`` are further members of the document; ``headers`` go out with the answer.
    """

    def __init__(
        self,
        code: Code,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail or CATALOGUE[code].title)
        self.code = code
        self.detail = detail or CATALOGUE[code].remedy
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = extra

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return CATALOGUE[self.code].status

    def document(self, *, request_id: str = "") -> dict[str, Any]:
        """The RFC 9457 document, ready for JSON."""
        entry = CATALOGUE[self.code]
        document: dict[str, Any] = {
            "type": f"/problems/{self.code}",
            "title": entry.title,
            "status": entry.status,
            "detail": self.detail,
            "code": str(self.code),
            "remedy": entry.remedy,
            "request_id": request_id,
        }
        if self.errors:
            document["errors"] = [error._asdict() for error in self.errors]
        return document | self.extra


def invalid(field: str, code: str, detail: str) -> Problem:
    """The 422 for one wrong field."""
    return Problem(Code.INVALID, f"{field}: {detail}", errors=[FieldError(field, code, detail)])


def not_found(what: str) -> Problem:
    """The 404 that absent and foreign things share."""
    return Problem(Code.NOT_FOUND, f"There is no such {what} here.")
