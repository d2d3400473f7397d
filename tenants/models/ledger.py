"""The ledger's tables (concurrency.md, "Ledger order") and the stored answers of idempotent requests."""

from typing import ClassVar

from django.db import models

from tenants.models.base import TenantModel


class Event(TenantModel):
    """One fact. Inserted by its writer with no order promised; a publisher gives it ``seq``, which never changes.

    The application's role may insert rows and set ``seq`` where it is null, nothing else (tenants.isolation).
    """

    PREFIX = "evt"

    id = models.BigAutoField(primary_key=True)  # type: ignore[assignment]
    project_id = models.UUIDField(null=True)
    seq = models.BigIntegerField(null=True)
    type = models.CharField(max_length=80)
    at = models.DateTimeField()
    door = models.CharField(max_length=20)
    actor_kind = models.CharField(max_length=20)
    actor_id = models.CharField(max_length=60)
    actor_name = models.CharField(max_length=200)
    instance_id = models.UUIDField(null=True)
    subject_kind = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=200)
    # Who should find it in the inbox: 'ins:<uuid>', 'agt:<uuid>' or 'all'; null for nobody in particular.
    recipient = models.CharField(max_length=60, null=True)
    request_id = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=60, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["team", "project_id", "id"], name="event_unpublished", condition=models.Q(seq__isnull=True)
            ),
            models.Index(
                fields=["team", "recipient", "project_id", "seq"],
                name="event_inbox",
                condition=models.Q(recipient__isnull=False),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "project_id", "seq"], name="event_seq_once", nulls_distinct=True),
            models.UniqueConstraint(
                fields=["team", "seq"], condition=models.Q(project_id__isnull=True), name="event_team_seq_once"
            ),
        ]


class LedgerHead(TenantModel):
    """The last published number of one stream (a project, or the team itself); its row lock is the publisher's turn.

    ``oldest_seq`` is the first number retention has left.
    """

    PREFIX = "led"

    project_id = models.UUIDField(null=True)
    last_seq = models.BigIntegerField(default=0)
    oldest_seq = models.BigIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "project_id"], name="ledger_head_once", nulls_distinct=False),
        ]


class IdempotencyRecord(TenantModel):
    """The stored answer of a request that carried an Idempotency-Key; kept for 24 hours."""

    PREFIX = "idm"

    key = models.BinaryField(max_length=32)
    body_digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["team", "key"], name="idempotency_key_once")]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_by_age")]
