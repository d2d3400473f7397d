"""Agents (durable names) and instances (one run of an agent; what owns claims)."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models import TenantForeignKey, TenantModel


class Agent(TenantModel):
    """A durable name in a project, such as ``backend-codex``."""

    PREFIX = "agt"

    project = TenantForeignKey("tenants.Project", on_delete=models.CASCADE)
    name = models.CharField(max_length=80)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["team", "project", "name"], name="agent_name_once")]


class Instance(TenantModel):
    """One run of an agent: one session in one checkout (claims.md, "Words").

    ``root_id`` is the holder of whatever it claims: itself, or the root of the parent that started it. ``epoch``
    rises with every resume, so an older copy of the same run is recognised. ``last_seen`` is presence, not a mutation.

    The ``guard_`` columns say what is known of its edit hooks: by which door they call (empty: none has), when the
    session began, when an edit was last judged, when an edit was found that no guard had judged, and the name of the
    probe that was planted at the start, with the time it was refused (engine.guard.state).
    """

    PREFIX = "ins"

    project = TenantForeignKey("tenants.Project", on_delete=models.CASCADE)
    agent = TenantForeignKey("coordination.Agent", on_delete=models.CASCADE)
    agent_name = models.CharField(max_length=80)
    root_id = models.UUIDField()
    parent_id = models.UUIDField(null=True)
    credential = models.CharField(max_length=60)
    epoch = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=20, default="active")
    tool = models.CharField(max_length=60, blank=True)
    model = models.CharField(max_length=120, blank=True)
    thread_id = models.CharField(max_length=200, null=True)
    host = models.CharField(max_length=200, blank=True)
    worktree = models.CharField(max_length=1024, blank=True)
    branch = models.CharField(max_length=250, blank=True)
    repository_id = models.UUIDField(null=True)
    capabilities = ArrayField(models.CharField(max_length=60), default=list)
    intent = models.CharField(max_length=500, blank=True)
    lane = models.CharField(max_length=80, blank=True)
    inbox_cursor = models.BigIntegerField(default=0)
    registered_at = models.DateTimeField()
    last_seen = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    guard_door = models.CharField(max_length=12, blank=True, db_default="")
    guard_started_at = models.DateTimeField(null=True)
    guard_judged_at = models.DateTimeField(null=True)
    guard_missed_at = models.DateTimeField(null=True)
    guard_probe = models.CharField(max_length=40, blank=True, db_default="")
    guard_probed_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            # One live instance per run: what resuming looks up.
            models.UniqueConstraint(
                fields=["team", "project", "credential", "agent", "worktree", "thread_id"],
                condition=models.Q(ended_at__isnull=True, thread_id__isnull=False),
                name="instance_run_once",
            ),
        ]
        indexes: ClassVar = [
            # Without last_seen, so that presence updates stay within their page (HOT); see also the fill factor.
            models.Index(
                fields=["team", "project"], condition=models.Q(ended_at__isnull=True), name="instance_running"
            ),
            models.Index(fields=["team", "root_id"], name="instance_by_root"),
        ]
