"""The app."""

from django.apps import AppConfig


class McpGatewayConfig(AppConfig):
    """The agents' face."""

    name = "mcp_gateway"
    default_auto_field = "django.db.models.BigAutoField"
