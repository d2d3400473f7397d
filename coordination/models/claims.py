"""Claims, the queue, and the ground both stand on."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models import TenantForeignKey, TenantModel


class Claim(TenantModel):
    """A lease over ground (claims.md, "Life of a claim"). Live is a predicate, see store/sql: never this row alone.

    Every grant, take-over and transfer is a new row; ``id`` with ``state = 'held'`` is the compare-and-swap.
    ``lock_keys`` and ``lock_exclusive`` are the lock plan of its ground, so a release can lock before it reads.
    """

    PREFIX = "clm"

    project = TenantForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False)
    holder = TenantForeignKey("coordination.Instance", on_delete=models.CASCADE, db_index=False)
    instance_id = models.UUIDField()
    state = models.CharField(max_length=12)
    mode = models.CharField(max_length=12)
    fence = models.BigIntegerField()
    scopes = models.JSONField()
    reason = models.CharField(max_length=500, blank=True)
    branch = models.CharField(max_length=250, blank=True)
    task = models.CharField(max_length=60, blank=True)
    narrowable = models.BooleanField(default=True)
    ttl_s = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # Granted to a queue entry nobody was waiting on: short-lived until the entry is read.
    offered = models.BooleanField(default=False)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=200, blank=True)
    took_over = models.JSONField(default=list)
    lock_keys = ArrayField(models.BigIntegerField())
    lock_exclusive = ArrayField(models.BooleanField())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["team", "holder"], condition=models.Q(state="held"), name="claim_held_by_holder"),
            models.Index(
                fields=["team", "project", "expires_at"], condition=models.Q(state="held"), name="claim_held_by_expiry"
            ),
            # The sweep's work list spans teams: what is due comes first, however much is held.
            models.Index(fields=["expires_at"], condition=models.Q(state="held"), name="claim_due"),
            models.Index(fields=["team", "project", "id"], name="claim_by_project"),
        ]


class QueueEntry(TenantModel):
    """A request that waits for ground (claims.md, "Queue").

    ``waiter_until`` is null when nobody holds a connection for it, else renewed by the process that does; in the past
    it means that process died. ``keep`` (the request had an idempotency key) lets the entry survive its connection.
    """

    PREFIX = "que"

    project = TenantForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False)
    holder = TenantForeignKey("coordination.Instance", on_delete=models.CASCADE, db_index=False)
    instance_id = models.UUIDField()
    arrival = models.BigIntegerField()
    state = models.CharField(max_length=12)
    mode = models.CharField(max_length=12)
    urgency = models.PositiveSmallIntegerField()
    scopes = models.JSONField()
    request = models.JSONField()
    enqueued_at = models.DateTimeField()
    deadline = models.DateTimeField()
    waiter_until = models.DateTimeField(null=True)
    keep = models.BooleanField(default=False)
    claim_id = models.UUIDField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_why = models.CharField(max_length=200, blank=True)
    lock_keys = ArrayField(models.BigIntegerField())
    lock_exclusive = ArrayField(models.BooleanField())

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["team", "project", "arrival"], condition=models.Q(state="waiting"), name="queue_waiting"
            ),
            models.Index(
                fields=["team", "holder"], condition=models.Q(state="waiting"), name="queue_waiting_by_holder"
            ),
            models.Index(fields=["team", "claim_id"], name="queue_by_claim"),
        ]


class Ground(TenantModel):
    """One pattern of a claim or of a queue entry: the prefix index that finds candidates for overlap.

    ``root`` is the name space (a repository's id, or a digest of kind and reach); ``prefix`` is compared under the
    "C" collation, so "lies below" is one range scan. ``exact``: that file and nothing below it. ``mode`` and
    ``holder_id`` are copies, to filter in the index.
    """

    PREFIX = "gnd"

    project_id = models.UUIDField()
    root = models.UUIDField()
    prefix = models.TextField(db_collation="C")
    pattern = models.TextField()
    scope = models.PositiveIntegerField()
    alternative = models.PositiveSmallIntegerField(default=0)
    fold = models.BooleanField(default=False)
    exact = models.BooleanField(default=False, db_default=False)
    claim = TenantForeignKey("coordination.Claim", on_delete=models.CASCADE, null=True, db_index=False)
    entry = TenantForeignKey("coordination.QueueEntry", on_delete=models.CASCADE, null=True, db_index=False)
    holder_id = models.UUIDField()
    mode = models.CharField(max_length=12)
    active = models.BooleanField(default=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["team", "root", "prefix"], condition=models.Q(active=True), name="ground_live"),
            models.Index(fields=["team", "claim"], name="ground_by_claim"),
            models.Index(fields=["team", "entry"], condition=models.Q(entry__isnull=False), name="ground_by_entry"),
        ]


class GroundExcept(TenantModel):
    """Ground taken out of a scope of a claim or entry. Inserted rows: two narrowers never overwrite each other."""

    PREFIX = "gex"

    claim = TenantForeignKey("coordination.Claim", on_delete=models.CASCADE, null=True, db_index=False)
    entry = TenantForeignKey("coordination.QueueEntry", on_delete=models.CASCADE, null=True, db_index=False)
    scope = models.PositiveIntegerField()
    pattern = models.TextField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["team", "claim"], name="except_by_claim"),
            models.Index(fields=["team", "entry"], condition=models.Q(entry__isnull=False), name="except_by_entry"),
        ]


class Coexistence(TenantModel):
    """Two claims that meet and may, by their modes; both list each other."""

    PREFIX = "coe"

    older = TenantForeignKey("coordination.Claim", on_delete=models.CASCADE, db_index=False)
    newer = TenantForeignKey("coordination.Claim", on_delete=models.CASCADE, db_index=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["team", "older"], name="coexists_older"),
            models.Index(fields=["team", "newer"], name="coexists_newer"),
        ]


class Allocation(TenantModel):
    """A number nobody else gets (a migration, a port): unique in its pool while held."""

    PREFIX = "alo"

    project = TenantForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False)
    root = models.UUIDField()
    pool = models.CharField(max_length=40)
    number = models.BigIntegerField()
    holder_id = models.UUIDField()
    agent_name = models.CharField(max_length=80)
    repository_id = models.UUIDField(null=True)
    host = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["team", "root", "number"],
                condition=models.Q(released_at__isnull=True),
                name="allocation_once",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["team", "project", "id"], name="allocation_by_project")]
