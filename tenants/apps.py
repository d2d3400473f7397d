"""The app, and the hook that puts the isolation nets on after every migration."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TenantsConfig(AppConfig):
    """Teams, people, tokens, the ledger."""

    name = "tenants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tenants import checks, isolation  # noqa: F401, PLC0415 - the registry must be full first

        post_migrate.connect(isolation.after_migrate, dispatch_uid="tenants.isolation")
