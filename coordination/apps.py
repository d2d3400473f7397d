"""The app, and what it registers with the one below it."""

from django.apps import AppConfig


class CoordinationConfig(AppConfig):
    """Claims, the queue, agents, messages."""

    name = "coordination"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from coordination import notify  # noqa: PLC0415 - the registry must be full first
        from coordination.store import grounds  # noqa: PLC0415
        from tenants import hooks, ledger  # noqa: PLC0415

        for registry, entry in (
            (ledger.listeners, notify.nudge),
            (hooks.project_lockers, grounds.lock_project),
            (hooks.repository_users, grounds.in_use),
        ):
            if entry not in registry:
                registry.append(entry)
