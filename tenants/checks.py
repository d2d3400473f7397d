"""Settings and surroundings that must be right before the server serves: Django system checks."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection


@register(Tags.database)
def role_owns_nothing(databases: Any = None, **_: Any) -> list[CheckMessage]:
    """The application's role must neither own tables nor bypass row-level security (architecture.md, "Tenancy")."""
    if not databases or settings.AS_OWNER:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.rolsuper OR r.rolbypassrls, EXISTS (SELECT 1 FROM pg_tables t"
            " WHERE t.schemaname = 'public' AND pg_has_role(current_user, t.tableowner, 'USAGE'))"
            " FROM pg_roles r WHERE r.rolname = current_user"
        )
        bypasses, owns = cursor.fetchone()
    messages: list[CheckMessage] = []
    if bypasses:
        messages.append(
            Error(
                "The role of DATABASE_URL bypasses row-level security.",
                hint="Give it NOSUPERUSER NOBYPASSRLS.",
                id="interlock.E001",
            )
        )
    if owns:
        messages.append(
            Error(
                "The role of DATABASE_URL owns tables, so row-level security does not hold it.",
                hint="Use a role that owns nothing; give the owner's URL as MIGRATE_DATABASE_URL.",
                id="interlock.E002",
            )
        )
    return messages
