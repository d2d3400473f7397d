"""Celery's door: each task fetches nothing and decides nothing, it calls one service."""

from celery import shared_task

from coordination.services import sweeping

# name -> (seconds between runs, work); deploy.celery makes the beat schedule from it.
SWEEPS = {
    "expiry": (5, sweeping.expiry),
    "publication": (5, sweeping.publication),
    "liveness": (15, sweeping.liveness),
    "tidy": (3600, sweeping.tidy),
}


@shared_task(name="coordination.sweep", ignore_result=True, expires=60)
def sweep(name: str) -> int:
    """Run one sweep by name."""
    period_s, work = SWEEPS[name]
    return sweeping.run(name, period_s, work)
