"""`interlock release`: give claims back, by id, by path, or all."""

from argparse import ArgumentParser, Namespace
from typing import Any

from mcp_gateway.agent import holdings, runs, wording
from mcp_gateway.agent.context import Context
from mcp_gateway.agent.hooks.memory import drop_covered
from mcp_gateway.agent.output import EXIT_NO, EXIT_YES, UserError, as_json, say, warn

HELP = "give claims back: by id, by path, or all"
ABOUT = """\
give claims back: by id, by path, or all.

A path that is one of several of a claim is taken out of it; the others stay held.
"""


def arguments(parser: ArgumentParser) -> None:
    """What to give back."""
    parser.add_argument("what", nargs="*", metavar="CLAIM|PATH", help="clm_…, or a path as it was claimed")
    parser.add_argument("--all", action="store_true", help="everything this run holds")


def run(args: Namespace, context: Context) -> int:
    """0 when everything named was held and is given back."""
    if bool(args.what) == args.all:
        raise UserError("Name claims or paths, or say --all")
    named = [what for what in args.what if what.startswith("clm_")]
    paths = [what for what in args.what if not what.startswith("clm_")]
    held = holdings.mine(context) if args.all or paths else []
    ids, kept, missed = _sorted_out(context, held, paths)
    if args.all:
        ids = [claim["id"] for claim in held]
    done: dict[str, Any] = {"released": [], "lost": [], "narrowed": []}
    if ids or named:
        done |= context.call("POST", "claims/release", {"claim_ids": list(dict.fromkeys(named + ids))}).body
    for claim_id, scopes in kept.items():
        answer = context.call("PATCH", f"claims/{claim_id}", {"scopes": scopes})
        done["lost" if answer.refused else "narrowed"].append(claim_id)
    drop_covered(runs.folder_of(context.settings))  # hooks shall not take for held what no longer is
    if context.json:
        as_json(done | {"not_held": missed})
    else:
        _tell(done, {claim["id"]: claim for claim in held})
    for text in missed:
        warn(f"not held: {text}. {_instead(held, context, text)}")
    return EXIT_NO if missed or done["lost"] else EXIT_YES


def _sorted_out(
    context: Context, held: list[holdings.Claim], paths: list[str]
) -> tuple[list[str], dict[str, list[Any]], list[str]]:
    """(claims to release, claims to narrow with the scopes they keep, arguments that are held by none)."""
    given: dict[str, set[int]] = {}
    missed = []
    for text in paths:
        patterns = holdings.meant(context, text)
        found = [
            (claim["id"], at)
            for claim in held
            for at, scope in enumerate(claim["scopes"])
            if scope["pattern"] in patterns
        ]
        for claim_id, at in found:
            given.setdefault(claim_id, set()).add(at)
        if not found:
            missed.append(text)
    whole, kept = [], {}
    for claim in held:
        if claim["id"] in given:
            scopes = [scope for at, scope in enumerate(claim["scopes"]) if at not in given[claim["id"]]]
            if scopes:
                kept[claim["id"]] = scopes
            else:
                whole.append(claim["id"])
    return whole, kept, missed


def _tell(done: dict[str, Any], held: dict[str, holdings.Claim]) -> None:
    for verb in ("released", "narrowed"):
        for claim_id in done[verb]:
            what = f"  {wording.ground(held[claim_id]['scopes'])}" if claim_id in held and verb == "released" else ""
            say(f"{verb} {claim_id}{what}")
    for claim_id in done["lost"]:
        say(f"{claim_id} was no longer held")
    if not any(done.values()):
        say("nothing to release")


def _instead(held: list[holdings.Claim], context: Context, text: str) -> str:
    if not held:
        return "This run holds nothing."
    query = {"path": next(iter(sorted(holdings.meant(context, text)))), "state": "held"}
    mine = {claim["id"] for claim in held}
    around = [claim for claim in holdings.listed(context, query) if claim["id"] in mine] if "*" not in text else []
    if around:
        return f"It lies in {around[0]['id']} ({wording.ground(around[0]['scopes'])}): release that one."
    return "`interlock claims --mine` lists what is."
