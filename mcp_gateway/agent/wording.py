"""Answers of the server in short lines: ground, holders, times, refusals."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Shape = Mapping[str, Any]

_MOST_CONFLICTS = 10
_MOST_PATHS = 20


def ground(scopes: Iterable[Shape]) -> str:
    """What scopes cover, as it may be typed: a file without its `file:`, exceptions after `except`."""
    return listed([pattern(scope) for scope in scopes])


def pattern(scope: Shape) -> str:
    """One scope."""
    text = bare(str(scope["pattern"]))
    taken = [bare(str(one["pattern"])) for one in scope.get("except") or ()]
    return f"{text} except {listed(taken)}" if taken else text


def bare(text: str) -> str:
    """A pattern without `file:`: that a claim is of one file goes without saying where a file is named."""
    return text.removeprefix("file:")


def listed(names: Sequence[str]) -> str:
    """Names in one line; the first of many."""
    more = f", and {len(names) - _MOST_PATHS} more" if len(names) > _MOST_PATHS else ""
    return ", ".join(names[:_MOST_PATHS]) + more


def who(holder: Shape) -> str:
    """A holder, with what addresses it."""
    lane = f", {holder['lane']}" if holder.get("lane") else ""
    silent = f", {holder['status']}" if holder.get("status") not in ("active", None, "") else ""
    return f"{holder['agent']} ({holder['instance']}{lane}{silent})"


def moment(iso: str | None, now: datetime | None = None) -> str:
    """A time on this machine's clock and how far it is from now: `14:30 (in 25 min)`, `13:55 (10 min ago)`."""
    if not iso:
        return "no end"
    at = parsed(iso)
    today = now or datetime.now(UTC)
    local = at.astimezone()
    clock = f"{local:%H:%M}" if local.date() == today.astimezone().date() else f"{local:%b %d %H:%M}"
    return f"{clock} ({span((at - today).total_seconds())})"


def parsed(iso: str) -> datetime:
    """An RFC 3339 time."""
    return datetime.fromisoformat(iso)


def span(seconds: float) -> str:
    """A distance in time in one unit: `in 25 min`, `10 min ago`, `now`."""
    much = abs(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if much >= size:
            text = f"{round(much / size)} {unit}"
            break
    else:
        if much < 1:
            return "now"
        text = f"{round(much)} s"
    return f"in {text}" if seconds > 0 else f"{text} ago"


def claim_line(claim: Shape) -> str:
    """A claim of one's own."""
    mode = "" if claim["mode"] == "exclusive" else f"  {claim['mode']}"
    state = "" if claim["state"] == "held" else f"  {claim['state']}"
    until = moment(claim["expires_at"])
    return f"{claim['id']}  fence {claim['fence']}{mode}{state}  until {until}  {ground(claim['scopes'])}"


def granted(claim: Shape) -> list[str]:
    """What a grant is worth knowing for."""
    lines = [f"claimed {ground(claim['scopes'])}", claim_line(claim)]
    if claim.get("took_over"):
        before = listed([str(one.get("agent") or one.get("claim") or one) for one in claim["took_over"]])
        lines.append(f"note: taken over from {before}, whose claim had lapsed. Look at what was left behind.")
    if claim.get("coexists_with"):
        lines.append(f"note: others are here as well: {listed(claim['coexists_with'])}")
    return lines + [f"note: {text}" for text in claim.get("warnings") or ()]


def conflict(one: Shape, held: str) -> list[str]:
    """What stands in the way: who, since and until when, why. `held` is all of its ground that does."""
    wanted = bare(one["wanted"])
    awaited = one["blocked_by"] == "queue_entry"
    verb = "awaited" if awaited else "held"
    until = "" if awaited else f", until {moment(one['expires_at'])}"
    sooner = one.get("lapses_at")
    if not awaited and sooner and (not one["expires_at"] or parsed(sooner) < parsed(one["expires_at"])):
        until += f", or {moment(sooner)} should it stay silent"
    lines = [f"{wanted} is {verb} by {who(one['holder'])} since {moment(one['since'])}{until}"]
    told = [] if held == wanted else [f"as {held}"]
    told += [] if one["mode"] == "exclusive" else [one["mode"]]
    told += [f"reason: {one['reason']}"] if one["reason"] else []
    told += [f"branch {one['branch']}"] if one["branch"] else []
    told += [f"{one['queue_length']} waiting"] if one.get("queue_length") else []
    if told:
        lines.append("  " + ", ".join(told))
    return lines


def conflicts(body: Shape) -> list[str]:
    """Everything that stands in the way, and what is free all the same."""
    by_claim: dict[tuple[str, str], list[Shape]] = {}
    for one in body["conflicts"]:
        by_claim.setdefault((one["wanted"], one["claim"]), []).append(one)
    shown = list(by_claim.values())[:_MOST_CONFLICTS]
    lines = [line for same in shown for line in conflict(same[0], listed([bare(one["held"]) for one in same]))]
    more = int(body.get("total", 0)) - sum(map(len, shown))
    if more > 0:
        lines.append(f"and {more} more")
    if body.get("narrow_to"):
        lines.append(f"free: {ground(body['narrow_to'])}")
    return lines


def refusal(body: Shape, again: Sequence[str]) -> list[str]:
    """Why a claim was not granted, and the commands that lead on. `again` is the command that was typed."""
    if body["code"] == "claim_conflict":
        return ["refused", *conflicts(body), *_ways_on(body, again)]
    lines = [f"refused: {body.get('detail') or body.get('title')}"]
    lines += [
        f"  {step['agent']} ({step['instance']}) holds {step['holds']}, waits for {step['waits_for']}"
        for step in body.get("cycle") or ()
    ]
    if body.get("give_up"):
        lines += ["next:", f"  interlock queue cancel {body['give_up']}"]
    elif body.get("remedy"):
        lines.append(str(body["remedy"]))
    return lines


def _ways_on(body: Shape, again: Sequence[str]) -> list[str]:
    base = shlex.join(again)
    ways = []
    for option in body.get("options") or ():
        action = option["action"]
        if action == "wait":
            ways.append((f"{base} --wait {option.get('wait_seconds') or 300}", "stand in line for it"))
        elif action == "narrow_to":
            ways.append((f"{base} --narrow", "take what is free"))
        elif action == "message":
            ways.append((f'interlock say {option["to"]} "…"', "ask the holder"))
        elif action == "coexist":
            ways.append((f"{base} --mode {option.get('mode', 'advisory')}", "do not edit, only tell"))
    width = min(60, max((len(command) for command, _ in ways), default=0))
    return ["next:", *(f"  {command:<{width}}  {why}" for command, why in ways)] if ways else []


def entry_line(entry: Shape) -> str:
    """A queue entry."""
    place = f"  position {entry['position']}" if entry["state"] == "waiting" else ""
    urgency = "" if entry["urgency"] == "normal" else f"  {entry['urgency']}"
    end = f"  until {moment(entry['deadline'])}" if entry["state"] == "waiting" else ""
    return f"{entry['id']}  {entry['state']}{place}{urgency}{end}  {ground(entry['scopes'])}"
