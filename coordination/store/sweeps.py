"""What is due over all teams (ids only), and when each sweep last ran."""

from uuid import UUID

from tenants.db import Row, teamless


def due(kind: str) -> list[tuple[UUID, UUID]]:
    """(team, project) with something due for a sweep: ``liveness`` or ``expiry``."""
    assert kind in ("liveness", "expiry")
    with teamless(reason="a sweep's work list spans teams") as cursor:
        rows = cursor.execute(f"SELECT team_id, project_id FROM interlock_due_{kind}()").fetchall()
    return [(row["team_id"], row["project_id"]) for row in rows]


def record(name: str, *, period_s: int, took_ms: int, did: int) -> None:
    """Note a run."""
    with teamless(reason="when a sweep ran is of no team") as cursor:
        cursor.execute(
            """
            INSERT INTO coordination_sweep (name, period_s, last_run, took_ms, did)
            VALUES (%s, %s, clock_timestamp(), %s, %s)
            ON CONFLICT (name) DO UPDATE SET period_s = EXCLUDED.period_s, last_run = EXCLUDED.last_run,
                took_ms = EXCLUDED.took_ms, did = EXCLUDED.did
            """,
            [name, period_s, took_ms, did],
        )


def listed() -> list[Row]:
    """Every sweep with how long ago it ran, in seconds."""
    with teamless(reason="when a sweep ran is of no team") as cursor:
        return cursor.execute(
            "SELECT name, period_s, last_run, took_ms, did,"
            " extract(epoch FROM clock_timestamp() - last_run)::float AS age_s FROM coordination_sweep ORDER BY name"
        ).fetchall()
