"""Writing a grant: take over what lapsed, insert the claim and its ground, tell the ledger. Used by the claim
service and by the queue's drain, so both grant in the same way.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from coordination.engine.decide import Decision, Standing, Wanted, decide
from coordination.engine.ground import written
from coordination.engine.modes import DEFAULT_TTL, Mode
from coordination.selectors import shapes
from coordination.services.acting import Acting
from coordination.services.placing import Placed, except_rows, ground_rows
from coordination.store import claims, grounds
from coordination.store.scenes import Scene
from tenants import ids, ledger
from tenants.db import Row, Transaction
from tenants.ledger import Fact
from tenants.principal import Principal
from tenants.problems import Code, Problem, invalid
from tenants.selectors.projects import forget

OFFER_SECONDS = 60
MIN_TTL = 1
Shape = dict[str, Any]


class TryAgain(Exception):
    """Between the look and the write, lapsed ground came alive, or a repository changed its case setting."""


def check_placed(written: int, placed: Placed, project_id: UUID) -> None:
    """Raise TryAgain where ground was left out because it had been placed by an old case setting."""
    if written != len(placed.grounds):
        forget(project_id)
        raise TryAgain


@dataclass(frozen=True, slots=True)
class Terms:
    """What a claim is asked for beside its ground."""

    mode: Mode
    ttl_s: int
    reason: str = ""
    branch: str = ""
    task: str = ""
    takeover_reason: str = ""


def ttl_for(mode: Mode, asked: int | None, policy: Row) -> int:
    """The lease's length in seconds: as asked within the project's limit, else the mode's default. 422 beyond it."""
    longest = policy["max_ttl_s"]
    if asked is None:
        return min(DEFAULT_TTL[mode], longest) if longest else DEFAULT_TTL[mode]
    if asked < MIN_TTL or (longest and asked > longest):
        limit = f"1 to {longest}" if longest else "1 or more"
        raise invalid("ttl_seconds", "out_of_range", f"{asked} is out of range: {limit} seconds in this project")
    return asked


def grant(
    tx: Transaction,
    principal: Principal,
    project_id: UUID,
    me: Acting,
    placed: Placed,
    terms: Terms,
    scene: Scene,
    decision: Decision,
    *,
    offered: bool = False,
) -> Shape:
    """Write a granted claim and answer its public shape. Raises TryAgain when lapsed ground was renewed meanwhile."""
    _check_count(tx, me)
    wanted = Wanted(str(me.holder_id), terms.mode, placed.grounds)
    took_over, facts = take_over(tx, project_id, me, terms, wanted, scene)
    claim_id = ids.new_id()
    public = ids.show("clm", claim_id)
    said = {
        "mode": terms.mode.value,
        "agent": me.agent,
        "scopes": [{"repository": s["repository"], "pattern": s["pattern"]} for s in placed.shown[:20]],
        "scopes_total": len(placed.shown),
        "took_over": [over["claim"] for over in took_over],
        "offered": offered,
    }
    facts.append(Fact("claim.granted", "claim", public, said))
    facts += _coexisting(scene, decision, public, me)
    heard = ledger.prepare(tx, principal, facts, project_id=project_id, instance_id=me.instance_id)
    row = claims.insert(tx, _row(claim_id, project_id, me, placed, terms, took_over, offered=offered), heard)
    if row is None:
        raise Problem(Code.INSTANCE_ENDED)
    check_placed(row["grounds"], placed, project_id)
    grounds.insert_excepts(tx, claim=claim_id, entry=None, excepts=except_rows(placed.grounds))
    if decision.coexists:
        others = [UUID(other) for other in decision.coexists]
        claims.insert_coexistence(tx, [ids.new_id() for _ in others], claim_id, others)
    return _shown(public, row, me, placed, terms, took_over, decision, offered=offered)


def _check_count(tx: Transaction, me: Acting) -> None:
    limit = me.policy["max_claims_per_agent"]
    if limit and (held := claims.count_held(tx, me.holder_id)) >= limit:
        raise Problem(
            Code.LIMIT_EXCEEDED,
            f"{me.agent} holds {held} claims; the project allows {limit}. Release some first.",
            figure=held,
            limit=limit,
        )


def take_over(
    tx: Transaction, project_id: UUID, me: Acting, terms: Terms, wanted: Wanted, scene: Scene
) -> tuple[list[Shape], list[Fact]]:
    """End the lapsed claims that wanted ground meets: what was taken over, and what the ledger hears.

    Raises TryAgain when one was renewed meanwhile.
    """
    if not scene.lapsed:
        return [], []
    met = {c.standing.id: c.standing for c in decide(wanted, scene.lapsed, limit=100_000).conflicts}
    if not met:
        return [], []
    if me.policy["takeover_needs_reason"] and not terms.takeover_reason:
        raise invalid("takeover_reason", "required", "this project wants a reason for taking over lapsed ground")
    ended = claims.expire(tx, project_id, [UUID(claim) for claim in met], by=f"lapsed; taken over by {me.agent}")
    if len(ended) != len(met):
        raise TryAgain
    took_over = [_taken(row) for row in ended]
    return took_over, [fact for row in ended for fact in expiry_facts(row, me, terms.takeover_reason)]


def _taken(row: Row) -> Shape:
    return {
        "claim": ids.show("clm", row["id"]),
        "agent": row["agent_name"],
        "instance": ids.show("ins", row["holder_id"]),
        "fence": row["fence"],
    }


def expiry_facts(row: Row, by: Acting | None, reason: str = "") -> list[Fact]:
    """What the ledger, and the old holder's inbox, hear when a claim expires or is taken over."""
    public = ids.show("clm", row["id"])
    said = {
        "agent": row["agent_name"],
        "fence": row["fence"],
        "scopes": [{"repository": s["repository"], "pattern": s["pattern"]} for s in row["scopes"][:20]],
    }
    facts = [Fact("claim.expired", "claim", public, said, recipient=f"ins:{row['holder_id']}")]
    if by is not None:
        told = said | {"held_by": by.agent, "instance": ids.show("ins", by.holder_id), "reason": reason}
        facts.append(Fact("claim.lost", "claim", public, told, recipient=f"ins:{row['holder_id']}"))
    return facts


def _coexisting(scene: Scene, decision: Decision, public: str, me: Acting) -> list[Fact]:
    others: dict[str, Standing] = {standing.id: standing for standing in scene.live}
    return [
        Fact(
            "claim.coexisting",
            "claim",
            ids.show("clm", UUID(other)),
            {"with": public, "agent": me.agent},
            recipient=f"ins:{others[other].holder}",
        )
        for other in decision.coexists[:50]
    ]


def _row(
    claim_id: UUID,
    project_id: UUID,
    me: Acting,
    placed: Placed,
    terms: Terms,
    took_over: list[Shape],
    *,
    offered: bool,
) -> Row:
    return {
        "claim": claim_id,
        "ground": grounds.dumps(ground_rows(placed.grounds)),
        "project": project_id,
        "holder": me.holder_id,
        "instance": me.instance_id,
        "mode": terms.mode.value,
        "scopes": grounds.dumps(placed.shown),
        "reason": terms.reason,
        "branch": terms.branch or me.policy["branch"] or "",
        "task": terms.task,
        "narrowable": terms.mode is Mode.EXCLUSIVE,
        "ttl": terms.ttl_s,
        "lasts": min(terms.ttl_s, OFFER_SECONDS) if offered else terms.ttl_s,
        "now": me.now,
        "offered": offered,
        "took_over": grounds.dumps(took_over),
        "keys": grounds.array(key.key for key in placed.plan),
        "exclusive": grounds.array("t" if key.exclusive else "f" for key in placed.plan),
    }


def _shown(
    public: str,
    row: Row,
    me: Acting,
    placed: Placed,
    terms: Terms,
    took_over: list[Shape],
    decision: Decision,
    *,
    offered: bool,
) -> Shape:
    excepts = [
        {"scope": scope, "pattern": text}
        for scope, text in sorted({(g.scope, written(taken)) for g in placed.grounds for taken in g.excepts})
    ]
    return {
        "id": public,
        "state": "held",
        "scopes": shapes.scopes(placed.shown, excepts),
        "mode": terms.mode.value,
        "holder": me.holder(),
        "reason": terms.reason,
        "branch": terms.branch or me.policy["branch"] or "",
        "task": terms.task,
        "fence": row["fence"],
        "created_at": row["created_at"],
        "expires_at": row["expires_at"],
        "lapses_if_silent_after": me.silence_limit(),
        "coexists_with": [ids.show("clm", UUID(other)) for other in decision.coexists],
        "took_over": took_over,
        "verified": False,
        "offered": offered,
        "narrowed": bool(excepts),
        "ended_at": None,
        "ended_by": None,
        "warnings": [],
    }
