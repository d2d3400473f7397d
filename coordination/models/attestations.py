"""Attestations: who vouched for a changed file, under which claim (claims.md, "Verification")."""

from typing import ClassVar

from django.db import models

from tenants.models import TenantForeignKey, TenantModel


class Attestation(TenantModel):
    """At commit time this content of this path was covered by that claim.

    ``blob`` is the git object id of the content (all zeros for a deletion), so a squash keeps it; ``patch`` is a digest
    of the path's own changed lines (empty where unknown), so a rebase keeps it. Only what was covered is attested.
    """

    PREFIX = "att"

    project = TenantForeignKey("tenants.Project", on_delete=models.CASCADE, db_index=False)
    repository_id = models.UUIDField()
    path = models.TextField(db_collation="C")
    blob = models.CharField(max_length=64)
    patch = models.CharField(max_length=64, blank=True)
    claim_id = models.UUIDField()
    fence = models.BigIntegerField()
    instance_id = models.UUIDField()
    agent_name = models.CharField(max_length=80)
    credential = models.CharField(max_length=60)
    branch = models.CharField(max_length=250, blank=True)
    task = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["team", "repository_id", "path", "blob"], name="attested_blob"),
            models.Index(
                fields=["team", "repository_id", "path", "patch"],
                condition=~models.Q(patch=""),
                name="attested_patch",
            ),
        ]
