"""The app."""

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """The people's face."""

    name = "dashboard"
    default_auto_field = "django.db.models.BigAutoField"
