"""Times as people say them, with the exact time beside."""

from datetime import datetime

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dashboard import phrases

register = template.Library()
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_NOW = 10  # seconds


def _span(seconds: int, *, parts: int) -> str:
    found: list[str] = []
    for size, unit in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            found.append(f"{count} {unit}")
        if len(found) == parts or (found and unit == "min"):
            break
    return " ".join(found) or "0 s"


@register.filter
def when(moment: datetime | None) -> SafeString | str:
    """``<time>`` saying "5 min ago" or "in 3 h 59 min", with the exact time in its title."""
    if moment is None:
        return "never"
    left = int((moment - timezone.now()).total_seconds())
    if left > 0:
        said = f"in {_span(left, parts=2)}"  # what is still to come is worth planning by
    else:
        said = "just now" if left > -_NOW else f"{_span(-left, parts=1)} ago"
    exact = moment.astimezone(timezone.get_default_timezone()).strftime("%Y-%m-%d %H:%M:%S %Z")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, said)


@register.filter
def who(event: dict[str, object]) -> str:
    """Whose doing an event was."""
    return phrases.who(event)


@register.filter
def ground(pattern: str) -> str:
    """A pattern as people read it."""
    return phrases.ground(pattern)


@register.simple_tag
def signup_open() -> bool:
    """Whether this deployment lets anybody make an account."""
    return bool(settings.OPEN_SIGNUP)
