"""Forms of the settings pages. They check shape; the services decide."""

from typing import Any

from django import forms

from tenants.permissions import PRESETS
from tenants.principal import Principal

_PRESET_WORDS = {
    "agent": "Agent: read, claim ground, verify",
    "lead": "Lead agent: agent, and release what others hold",
    "ci": "CI: read and verify",
    "reader": "Reader: read only",
    "admin": "Admin: manage projects, members and tokens",
}
_DAY = 24 * 3600
_LIFETIMES = [
    ("", "Never"),
    (str(7 * _DAY), "In 7 days"),
    (str(30 * _DAY), "In 30 days"),
    (str(90 * _DAY), "In 90 days"),
    (str(365 * _DAY), "In a year"),
]


class TokenForm(forms.Form):
    """A new token: only what its maker may grant is offered."""

    name = forms.CharField(max_length=120, help_text="Where it will be used, such as “Ada's laptop”.")
    preset = forms.ChoiceField(label="May do")
    project = forms.ChoiceField(required=False, help_text="An agent's token should only open its own project.")
    agent = forms.CharField(
        max_length=80,
        required=False,
        label="Agent name",
        help_text="Optional: the token then speaks for this agent alone, such as backend-codex.",
    )
    expires = forms.ChoiceField(required=False, choices=_LIFETIMES)

    def __init__(self, *args: Any, principal: Principal, projects: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        granted = [name for name in _PRESET_WORDS if principal.permissions >= PRESETS[name]]
        choices = [("", "All projects"), *((project["slug"], project["name"]) for project in projects)]
        self.fields["preset"].choices = [(name, _PRESET_WORDS[name]) for name in granted]  # type: ignore[attr-defined]
        self.fields["project"].choices = choices  # type: ignore[attr-defined]
        if len(projects) == 1:
            self.fields["project"].initial = projects[0]["slug"]

    def wanted(self) -> dict[str, Any]:
        """The arguments of ``token_create``."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "kind": "service" if data["preset"] == "ci" else "agent",
            "preset": data["preset"],
            "project": data["project"] or None,
            "agent": data["agent"] or None,
            "expires_in_seconds": int(data["expires"]) if data["expires"] else None,
        }
