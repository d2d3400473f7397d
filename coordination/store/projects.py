"""The few statements of this app over projects."""

from uuid import UUID

from tenants.db import Row, Transaction


def set_frozen(tx: Transaction, project_id: UUID, *, frozen: bool, by: str, reason: str) -> Row:
    """Freeze or thaw; the caller holds the project's lock exclusively."""
    row = tx.run(
        """
        UPDATE tenants_project
        SET frozen_at = CASE WHEN %(frozen)s THEN coalesce(frozen_at, clock_timestamp()) END,
            frozen_by = CASE WHEN %(frozen)s THEN %(by)s ELSE '' END,
            frozen_reason = CASE WHEN %(frozen)s THEN %(reason)s ELSE '' END
        WHERE team_id = %(team)s AND id = %(id)s RETURNING frozen_at, frozen_by, frozen_reason
        """,
        {"team": tx.team_id, "id": project_id, "frozen": frozen, "by": by, "reason": reason},
    ).fetchone()
    assert row is not None
    return row
