"""Teams, who belongs to them, and what they own: projects, repositories, tokens."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants import ids
from tenants.models.base import TenantForeignKey, TenantModel


class Team(models.Model):
    """The tenant. Its own row obeys row-level security too: a team sees itself."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.slug


class Membership(TenantModel):
    """A person's place in a team."""

    PREFIX = "mem"

    person = models.ForeignKey("tenants.Person", models.CASCADE, related_name="+")
    role = models.CharField(max_length=40)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "person"], name="membership_once"),
        ]


class Project(TenantModel):
    """What agents work on: repositories, claims, messages and a ledger of its own."""

    PREFIX = "prj"

    slug = models.SlugField(max_length=40)
    name = models.CharField(max_length=120)
    # Policy, seconds; 0 = no such limit (claims.md, "Life of a claim" and "Limits").
    idle_limit_s = models.PositiveIntegerField(default=1800)
    grace_s = models.PositiveIntegerField(default=300)
    max_ttl_s = models.PositiveIntegerField(default=72 * 3600)
    max_claims_per_agent = models.PositiveIntegerField(default=0)
    max_queued_per_agent = models.PositiveIntegerField(default=0)
    takeover_needs_reason = models.BooleanField(default=False)
    # What the guard does at the moment of an edit, what it does when it cannot ask, and what a verification that
    # finds uncovered changes answers (agent.md, "Enforcement at the moment of the edit").
    guard_policy = models.CharField(max_length=12, default="auto-claim", db_default="auto-claim")
    guard_offline = models.CharField(max_length=12, default="open", db_default="open")
    verify_policy = models.CharField(max_length=12, default="warn", db_default="warn")
    frozen_at = models.DateTimeField(null=True)
    frozen_by = models.CharField(max_length=200, blank=True)
    frozen_reason = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["team", "slug"], name="project_slug_once")]


class Repository(TenantModel):
    """A git repository of a project, known by a slug and its normalised remote."""

    PREFIX = "rep"

    project = TenantForeignKey("tenants.Project", on_delete=models.CASCADE)
    slug = models.CharField(max_length=80)
    remote = models.CharField(max_length=400, blank=True)
    default_branch = models.CharField(max_length=200, default="main")
    case_insensitive = models.BooleanField(default=False)
    is_default = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["team", "project", "slug"], name="repository_slug_once"),
            models.UniqueConstraint(
                fields=["team", "project"], condition=models.Q(is_default=True), name="repository_one_default"
            ),
        ]


class Token(TenantModel):
    """A credential of a program. The secret is shown once and kept as a SHA-256 digest."""

    PREFIX = "tok"

    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20)
    digest = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=20)
    permissions = ArrayField(models.CharField(max_length=60))
    project = TenantForeignKey("tenants.Project", on_delete=models.CASCADE, null=True)
    agent = models.CharField(max_length=80, null=True)
    created_by = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_used_from = models.CharField(max_length=60, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["team", "created_at"], name="token_by_team")]
