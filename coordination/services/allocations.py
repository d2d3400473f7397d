"""The allocator: numbers nobody else gets, over all branches (claims.md, "Patterns": migrations, ports)."""

from uuid import UUID

from coordination.engine.allocate import lowest_free
from coordination.selectors.allocations import shown
from coordination.services.acting import acting_in
from coordination.services.placing import Whereabouts, root_key
from coordination.services.results import Answer
from coordination.store import allocations
from tenants import ids, ledger
from tenants.db import transaction
from tenants.ledger import Fact
from tenants.permissions import Permission
from tenants.principal import Principal
from tenants.problems import Code, Problem, invalid, not_found
from tenants.selectors.projects import project_resolve, repositories_of

# The pools and their ranges where the request names none.
POOLS: dict[str, tuple[int, int]] = {"migration": (1, 999_999), "port": (3000, 9999)}
_LARGEST = 2**53


def allocate(
    principal: Principal,
    project: str,
    *,
    pool: str,
    first: int | None = None,
    last: int | None = None,
    repository: str | None = None,
    host: str | None = None,
    reason: str = "",
) -> Answer:
    """The lowest free number of a pool, recorded for the acting instance. 409 ``pool_exhausted`` when none is free."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    if pool not in POOLS:
        raise invalid("pool", "unknown", f"{pool!r} is none of {', '.join(POOLS)}")
    low = POOLS[pool][0] if first is None else first
    high = POOLS[pool][1] if last is None else last
    if not 0 <= low <= high <= _LARGEST:
        raise invalid("range", "out_of_range", "first and last must be in order, from 0")
    known = repositories_of(principal, ref.id)
    repo = known.get(repository) if repository else next((r for r in known.values() if r.is_default), None)
    if pool == "migration" and repo is None:
        raise invalid("repository", "unknown_repository", f"there is {', '.join(sorted(known)) or 'none yet'}")
    with transaction(principal.team_id) as tx:
        me = acting_in(tx, principal, ref)
        where = Whereabouts(ref, known, host or me.policy["host"], me.policy["worktree"])
        root = UUID(root_key(where, pool, repo if pool == "migration" else None))
        allocations.lock_pool(tx, root)
        number = lowest_free(allocations.taken(tx, root, low, high), low, high)
        if number is None:
            raise Problem(Code.POOL_EXHAUSTED, f"Every {pool} from {low} to {high} is held.", pool=pool)
        allocation_id = ids.new_id()
        allocations.insert(
            tx,
            {
                "id": allocation_id,
                "project_id": ref.id,
                "root": root,
                "pool": pool,
                "number": number,
                "holder_id": me.holder_id,
                "agent_name": me.agent,
                "repository_id": repo.id if repo and pool == "migration" else None,
                "host": where.host if pool == "port" else "",
                "reason": reason,
            },
        )
        public = ids.show("alo", allocation_id)
        fact = Fact("allocation.made", "allocation", public, {"pool": pool, "number": number, "agent": me.agent})
        ledger.append(tx, principal, [fact], project_id=ref.id, instance_id=me.instance_id)
        row = allocations.find(tx, ref.id, allocation_id)
        assert row is not None
        return Answer("created", shown(row))


def release(principal: Principal, project: str, allocation_id: str) -> Answer:
    """Give a number back; again is harmless. Another holder's number needs ``claims.release_any``."""
    principal.require(Permission.COORDINATE)
    ref = project_resolve(principal, project)
    found = ids.parse("alo", allocation_id)
    with transaction(principal.team_id) as tx:
        row = allocations.find(tx, ref.id, found) if found else None
        if row is None:
            raise not_found("allocation")
        if not principal.allows(Permission.CLAIMS_RELEASE_ANY):
            me = acting_in(tx, principal, ref)
            if me.holder_id != row["holder_id"]:
                principal.require(Permission.CLAIMS_RELEASE_ANY)
        if allocations.release(tx, row["id"]):
            said = {"pool": row["pool"], "number": row["number"], "agent": row["agent_name"]}
            fact = Fact("allocation.released", "allocation", allocation_id, said)
            ledger.append(tx, principal, [fact], project_id=ref.id)
        after = allocations.find(tx, ref.id, row["id"])
        assert after is not None
        return Answer("ok", shown(after))
