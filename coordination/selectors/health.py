"""What /readyz and the operator page say of the workers."""

from typing import Any

from coordination.store import sweeps as store


def sweeps() -> list[dict[str, Any]]:
    """Each sweep: last run, duration, what it did, and whether it is late (three periods without a run)."""
    return [
        {
            "name": row["name"],
            "period_s": row["period_s"],
            "last_run": row["last_run"],
            "took_ms": row["took_ms"],
            "did": row["did"],
            "late": row["age_s"] > 3 * row["period_s"],
        }
        for row in store.listed()
    ]
