"""``release``: give ground back, or a place in a queue."""

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from coordination.api.schemas.base import Id, Line
from mcp_gateway.tools import words
from mcp_gateway.tools.base import Arguments, Caller, Given, Hints, Key, Step, Tool, Translation


class ReleaseArguments(Arguments):
    """One of ``claim_ids``, ``all``, ``task`` and ``queue``."""

    claim_ids: list[Id] | None = Field(default=None, min_length=1, max_length=1000)
    all: Literal[True] | None = Field(default=None, description="everything you hold")
    task: Line | None = Field(default=None, min_length=1, max_length=60, description="what you hold for it")
    queue: Id | None = Field(default=None, description="give up waiting for this entry")
    idempotency_key: Key | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if sum(value is not None for value in (self.claim_ids, self.all, self.task, self.queue)) != 1:
            raise PydanticCustomError("one_of", "send one of claim_ids, all, task and queue")
        return self


def translate(arguments: ReleaseArguments, caller: Caller) -> Translation:
    """POST claims/release, or DELETE queue/{id}."""
    if arguments.queue is not None:
        yield Step("queue_cancel", id=arguments.queue)
        return
    body = arguments.given("claim_ids", "task")
    if arguments.all:
        me = caller.instance
        if me is None:
            me = (yield Step("sync")).body["instance"]["id"]
        body = {"instance": me.partition(".")[0]}
    yield Step("claim_release_many", body=body, key=arguments.idempotency_key)


def tell(given: Given) -> str:
    """What was given back, and what was not held any more."""
    body = given.body
    if "code" in body:
        return words.refusal(body)
    if "position" in body:
        return f"{body['id']} is {body['state']}: you do not wait for {words.ground(body['scopes'])} any more."
    lines = [f"RELEASED: {', '.join(body['released'][:20])}." if body["released"] else "Nothing was released."]
    if len(body["released"]) > 20:
        lines.append(f"{len(body['released'])} in all.")
    if body["lost"]:
        lines.append(f"Not yours any more when you released it: {', '.join(body['lost'][:20])}.")
    return "\n".join(lines)


RELEASE = Tool(
    name="release",
    description="Give ground back as soon as you are done, so that whoever waits for it can go on.",
    arguments=ReleaseArguments,
    routes=("claim_release_many", "queue_cancel", "sync"),
    shows=("released", "lost", "id", "state"),
    translate=translate,
    tell=tell,
    hints=Hints(idempotent=True),
    sets=("core", "full", "claims"),
)
