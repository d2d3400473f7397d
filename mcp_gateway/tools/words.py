"""Answers in words. What other agents wrote is quoted: a reader must be able to tell it from what Interlock says."""

import re
from datetime import datetime
from typing import Any

import orjson

Shape = dict[str, Any]

_PLAIN = re.compile(r"[\w./@+:*?{}\[\],~!-]{1,300}", re.ASCII)
_MOST = 10


def quoted(text: str, limit: int = 300) -> str:
    """Text of others in quotation marks, in one line, cut after ``limit`` characters."""
    kept = text if len(text) <= limit else text[:limit] + "…"
    found: str = orjson.dumps(kept).decode()
    return found


def plain(text: str) -> str:
    """A path or name as it is; quoted where it could be read as something else."""
    return text if _PLAIN.fullmatch(text) else quoted(text)


def clock(moment: str) -> str:
    """A time of day, UTC; with its date where that is not said elsewhere."""
    return f"{_read(moment):%Y-%m-%d %H:%M:%S} UTC"


def between(start: str, end: str) -> str:
    """How long from one time to another, roughly: ``45 s``, ``29 min``, ``3 h``."""
    return span(int((_read(end) - _read(start)).total_seconds()))


def span(seconds: int) -> str:
    """Seconds, roughly."""
    if seconds < 120:
        return f"{max(0, seconds)} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def ground(scopes: list[Shape]) -> str:
    """Scopes in short."""
    shown = []
    for scope in scopes[:_MOST]:
        text = plain(scope["pattern"])
        if scope["except"]:
            text += f" except {', '.join(plain(taken['pattern']) for taken in scope['except'][:_MOST])}"
        shown.append(text)
    return listed(shown, len(scopes))


def listed(shown: list[str], total: int) -> str:
    """Items with commas, and how many more there are."""
    more = total - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def held(claim: Shape) -> str:
    """A claim in one line."""
    line = f"{claim['id']} {claim['mode']} on {ground(claim['scopes'])}"
    return line + (f" for {plain(claim['task'])}" if claim["task"] else "")


def refusal(body: Shape) -> str:
    """A refused claim: who, until when, and what can be done."""
    found = [_conflict(conflict) for conflict in body.get("conflicts", ())[:_MOST]] or [body["detail"]]
    lines = [f"REFUSED ({body['code']}): {found[0]}", *(f"- {line}" for line in found[1:])]
    more = body.get("total", 0) - min(len(body.get("conflicts", ())), _MOST)
    if more > 0:
        lines.append(f"- and {more} more")
    lines += _cycle(body)
    options = [_option(option) for option in body.get("options", ())]
    lines += [f"You can: {option}" for option in options] or [f"What to do: {body['remedy']}"]
    return "\n".join(lines)


def _conflict(conflict: Shape) -> str:
    holder = conflict["holder"]
    verb = "is held by" if conflict["blocked_by"] == "claim" else "is awaited, before you, by"
    line = f"{plain(conflict['held'])} {verb} {holder['agent']} ({holder['instance']}, {holder['status']})"
    line += f", {conflict['mode']}, until {clock(conflict['lapses_at'] or conflict['expires_at'])}"
    if conflict["reason"]:
        line += f", reason {quoted(conflict['reason'], 120)}"
    return line


def _cycle(body: Shape) -> list[str]:
    steps = [
        f"- {step['agent']} holds {plain(step['holds'])} and waits for {plain(step['waits_for'])}"
        for step in body.get("cycle", ())
    ]
    if body.get("give_up"):
        steps.append(f"- to be given up: {body['give_up']}")
    return steps


def _option(option: Shape) -> str:
    match option["action"]:
        case "wait":
            return "claim again with wait_seconds=50, which keeps your place in the queue"
        case "narrow_to":
            kept = [{name: scope[name] for name in scope if name != "symbols"} for scope in option["scopes"]]
            return f"claim what is free: {ground(kept)} (`narrow_to` in the structured answer can be sent as scopes)"
        case "message":
            return f'write to the holder: message action="send" to="{option["to"]}"'
        case "coexist":
            return f'claim with mode="{option["mode"]}", which excludes nobody, and keep out of each other\'s way'
        case _:
            return orjson.dumps(option).decode()


def said(message: Shape, limit: int) -> str:
    """A message in one line, its text quoted."""
    sender = message["sender"]
    who = f"{sender['agent']} ({sender['instance']})" if sender["agent"] else quoted(sender["name"], 60)
    line = f"{message['id']} {message['kind']} from {who}"
    line += "" if message["importance"] == "normal" else f", {message['importance']}"
    line += ", wants an ack" if message["ack_required"] else ""
    return f"{line}: {quoted(message['text'], limit)}"


def inbox(found: Shape, limit: int) -> list[str]:
    """What lies in the inbox, a line an item."""
    lines = []
    for item in found["items"]:
        if item["type"] == "message.posted" and item["message"] is not None:
            lines.append(f"- {said(item['message'], limit)}")
        else:
            data = quoted(orjson.dumps(item["data"]).decode(), 200)
            lines.append(f"- {item['type']} {item['subject']['id']} by {quoted(item['actor']['name'], 60)}: {data}")
    return lines


def _read(moment: str) -> datetime:
    return datetime.fromisoformat(moment)
