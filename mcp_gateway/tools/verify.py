"""``verify``: are these changes covered by what I hold?"""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from coordination.api.schemas.base import RepositorySlug
from coordination.api.schemas.checks import VerifyChange
from coordination.api.schemas.claims import MAX_SCOPES
from mcp_gateway.tools import words
from mcp_gateway.tools.base import Arguments, Caller, Given, Hints, Step, Tool, Translation

Path = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
_CHANGE = {"type": "object", "properties": {"path": {"type": "string"}, "blob": {"type": "string"}}}
_COVERED = frozenset({"covered", "attested", "exempt"})
_MOST = 50


class VerifyArguments(Arguments):
    """``paths``, or ``changes`` with their git object ids."""

    paths: list[Path] | None = Field(default=None, min_length=1, max_length=MAX_SCOPES)
    changes: list[Annotated[VerifyChange, WithJsonSchema(_CHANGE)]] | None = Field(
        default=None, min_length=1, max_length=MAX_SCOPES, description="instead of paths, with git object ids"
    )
    repository: RepositorySlug | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.paths is None) == (self.changes is None):
            raise PydanticCustomError("one_of", "send either paths or changes")
        return self


def translate(arguments: VerifyArguments, caller: Caller) -> Translation:
    """POST verify."""
    body = arguments.given("changes", "repository")
    if arguments.paths is not None:
        body["changes"] = [{"path": path} for path in arguments.paths]
    yield Step("verify", body=body)


def tell(given: Given) -> str:
    """The verdict, and each path that is not covered."""
    body = given.body
    if "code" in body:
        return words.refusal(body)
    loose = [finding for finding in body["findings"] if finding["status"] not in _COVERED]
    lines = [f"{body['verdict'].upper()}: {len(body['findings']) - len(loose)} of {len(body['findings'])} are covered."]
    for finding in loose[:_MOST]:
        line = f"- {words.plain(finding['path'])} {finding['status'].replace('_', ' ')}"
        if finding["holder"]:
            line += f": {finding['holder']['agent']} ({finding['holder']['instance']})"
            line += f" until {words.clock(finding['expires_at'])}" if finding["expires_at"] else ""
        lines.append(line)
    if len(loose) > _MOST:
        lines.append(f"- and {len(loose) - _MOST} more")
    if loose:
        lines.append("Claim what is free; what others hold is theirs: do not commit it.")
    return "\n".join(lines)


VERIFY = Tool(
    name="verify",
    description="Before you commit: are these changed paths covered by your claims?",
    arguments=VerifyArguments,
    routes=("verify",),
    shows=("verdict", "findings", "failed"),
    translate=translate,
    tell=tell,
    hints=Hints(read_only=True, idempotent=True),
    sets=("core", "full", "claims"),
)
