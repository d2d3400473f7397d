"""Celery: beat wakes the sweeps, workers run them. What must happen is in Postgres; this only makes it happen soon."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")

import django

django.setup()

from celery import Celery  # noqa: E402 - Django first
from django.conf import settings  # noqa: E402

from coordination.tasks import SWEEPS  # noqa: E402

app = Celery("interlock", broker=settings.REDIS_URL)
app.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_soft_time_limit=50,
    task_time_limit=60,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    # Redelivery takes the visibility timeout plus interval x throttle seconds; twice the longest task is safe.
    broker_transport_options={
        "visibility_timeout": 120,
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
    beat_schedule={
        # A sweep that could not run in its period is dropped: the next one does the same.
        name: {"task": "coordination.sweep", "args": [name], "schedule": period, "options": {"expires": period}}
        for name, (period, _) in SWEEPS.items()
    },
)
app.autodiscover_tasks()
