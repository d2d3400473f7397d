"""What teams, projects and repositories may be called (platform.md, "Teams, projects, people").

Slugs stand in addresses, command lines and files, so they are short, lower case and never change.
"""

import re

from tenants.problems import Code, Problem, invalid

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_REPOSITORY = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,78}[a-z0-9_-])?")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,189}")

# Words that an address of ours means, or may come to mean, something else by.
_TEAMS = """
about account accounts admin agent agents all anonymous api app apps assets auth billing blog dashboard docs
download events favicon graphql health healthz help home hooks info install interlock internal invitations
invite legal login logout mail mcp me media messages metrics new none null oauth operator p password pricing
privacy problems public readyz register root search security settings setup sign-in sign-out sign-up signup
sso static status support system t team teams terms tokens undefined user users webhooks well-known www
"""
_PROJECTS = "all new none null settings undefined"
RESERVED_TEAMS = frozenset(_TEAMS.split())
RESERVED_PROJECTS = frozenset(_PROJECTS.split())


def check_slug(text: str, *, field: str = "slug", reserved: frozenset[str] = frozenset()) -> str:
    """The slug, or Problem ``invalid`` saying what a slug is or that the word is reserved."""
    if not isinstance(text, str) or not _SLUG.fullmatch(text):
        raise invalid(field, "bad_slug", "1 to 40 of a-z, 0-9 and -, such as my-team; no - at either end.")
    if text in reserved:
        raise invalid(field, "reserved", f"{text} is reserved; choose another word.")
    return text


def check_repository_slug(text: str, *, field: str = "slug") -> str:
    """The slug of a repository (dots and underscores are usual there), or Problem ``invalid``."""
    if not isinstance(text, str) or not _REPOSITORY.fullmatch(text):
        raise invalid(field, "bad_slug", "1 to 80 of a-z, 0-9 and . _ -, such as my.app; no . at either end.")
    return text


def check_name(text: str, *, field: str = "name", longest: int = 120) -> str:
    """A display name without blanks around it, or Problem ``invalid``: empty, too long, invisible signs."""
    name = text.strip() if isinstance(text, str) else ""
    if not name:
        raise invalid(field, "empty", "Say a name.")
    return check_text(name, field=field, longest=longest)


def check_text(text: str, *, field: str, longest: int) -> str:
    """A one-line text that may be empty, or Problem ``invalid``."""
    if not isinstance(text, str) or len(text) > longest:
        raise invalid(field, "too_long", f"At most {longest} characters.")
    if not text.isprintable():  # also refuses what turns the reading direction around and so fakes a name
        raise invalid(field, "bad_character", "No line breaks and no invisible characters.")
    return text


def check_email(text: str, *, field: str = "email") -> str:
    """An e-mail address in the form it is stored in (lower case), or Problem ``invalid``."""
    address = text.strip().lower() if isinstance(text, str) else ""
    if not _EMAIL.fullmatch(address) or not address.isprintable():
        raise invalid(field, "bad_email", "This is no e-mail address.")
    return address


def taken(what: str, slug: str) -> Problem:
    """The 409 for a name that somebody had first."""
    return Problem(Code.ALREADY_EXISTS, f"There is already a {what} named {slug}.", field="slug")
