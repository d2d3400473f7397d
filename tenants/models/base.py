"""What every tenant row shares; tenants.isolation makes row-level security and composite keys of it."""

from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import models

from tenants import ids
from tenants.scope import UNSCOPED, current_team

_Row_co = TypeVar("_Row_co", bound="TenantModel", covariant=True)


class TenantManager(models.Manager[_Row_co]):
    """Refuses to query without a team in scope, and then sees only that team's rows."""

    def get_queryset(self) -> models.QuerySet[_Row_co]:
        team = current_team()
        queryset = super().get_queryset()
        return queryset.filter(team_id=team) if isinstance(team, UUID) else queryset


class TenantForeignKey(models.ForeignKey):  # type: ignore[type-arg]
    """A reference inside one team: stored as a composite key ``(team_id, id)`` by tenants.isolation.

    Integrity checks of Postgres bypass row-level security, so a plain foreign key could point into another
    team.
    """

    def __init__(self, to: Any, on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        kwargs.setdefault("related_name", "+")
        kwargs["db_constraint"] = False
        super().__init__(to, on_delete, **kwargs)


class TenantModel(models.Model):
    """A row of one team. ``id`` is a sortable UUID made by the application; its prefix shows in public ids."""

    PREFIX: ClassVar[str] = ""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    team = models.ForeignKey("tenants.Team", models.CASCADE, related_name="+", db_index=False)

    objects = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def __str__(self) -> str:
        return self.public_id

    def save(self, *args: Any, **kwargs: Any) -> None:
        self._require_scope()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self._require_scope()
        return super().delete(*args, **kwargs)

    @property
    def public_id(self) -> str:
        """The id as the outside knows it, such as ``rep_01hx…``."""
        return ids.show(self.PREFIX, self.id)

    def _require_scope(self) -> None:
        """Writing one row goes past the manager, so the scope is asked here."""
        team = current_team()
        if team is not UNSCOPED and self.team_id != team:
            raise ValueError(f"{type(self).__name__} of another team than the one in scope")
