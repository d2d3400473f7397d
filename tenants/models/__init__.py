"""Tables of the lowest app: fields and constraints only; what may happen to them is in services."""

from tenants.models.base import TenantForeignKey, TenantManager, TenantModel
from tenants.models.ledger import Event, IdempotencyRecord, LedgerHead
from tenants.models.people import Person
from tenants.models.teams import Membership, Project, Repository, Team, Token

__all__ = [
    "Event",
    "IdempotencyRecord",
    "LedgerHead",
    "Membership",
    "Person",
    "Project",
    "Repository",
    "Team",
    "TenantForeignKey",
    "TenantManager",
    "TenantModel",
    "Token",
]
