"""When each worker's sweep last ran: deployment-wide, of no team."""

from django.db import models


class Sweep(models.Model):
    """One row per sweep; /readyz and the operator page read it."""

    name = models.CharField(max_length=60, primary_key=True)
    period_s = models.PositiveIntegerField()
    last_run = models.DateTimeField()
    took_ms = models.PositiveIntegerField()
    did = models.PositiveIntegerField()

    def __str__(self) -> str:
        return self.name
