"""Write, or check, the documents that are made from code: docs/errors.md, docs/events.md, and what other apps add."""

import json
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.module_loading import import_string

from coordination.management.events import SECTIONS, EventType, unlisted
from tenants.problems import CATALOGUE, Code

_MADE = "<!-- Made by `python3 manage.py docs`. Change {source} instead. -->\n"

_ERRORS = """\
# Problems

Whatever goes wrong is answered as `application/problem+json` (RFC 9457), at every door the same. Decide by `code`:
codes are never renamed and never reused. `detail` says what was wrong this time, `remedy` what to do about it;
`type` is the address of a page about the code. Further members depend on the code, such as `conflicts` and
`options` of `claim_conflict`, `errors` of `invalid`, `retry_after` where it pays to come back.

```json Problem
{
  "type": "/problems/invalid",
  "title": "Some values are not right",
  "status": 422,
  "detail": "paths.0: '/etc/passwd': patterns start at the repository's root: leave out the first /",
  "instance": "/api/v1/teams/demo/projects/main/claims",
  "code": "invalid",
  "remedy": "Mend the fields named in `errors`.",
  "request_id": "req-3ff69d5687-174",
  "errors": [
    {
      "field": "paths.0",
      "code": "absolute",
      "detail": "'/etc/passwd': patterns start at the repository's root: leave out the first /"
    }
  ],
  "total_errors": 1
}
```

A refused claim (`claim_conflict`, `deadlock`, `lost`) is a result rather than a mistake: the ledger hears of it, and
the answer says how to go on.

| code | status | what it means | what to do |
|---|---|---|---|
"""

_EVENTS = """\
# Events

Every mutation appends to the ledger in its own transaction ([the ledger](concepts/ledger.md)). An event says who did
what to which subject; `data` has the rest, by type, as below. Fields may be added, never removed or renamed. What
stands in somebody's inbox says so.

```json Event
{
  "id": "evt_0000000000000179",
  "cursor": "176",
  "type": "claim.released",
  "at": "2026-11-20T13:55:35.688468Z",
  "actor": {
    "kind": "token",
    "id": "tok_01m7wk58yeed79hg5qjw2wwq3k",
    "name": "First agent",
    "instance": "ins_01m7wkvf9jf35t96p4g8vsme1t"
  },
  "door": "rest",
  "subject": {"kind": "claim", "id": "clm_01m7wkvfcaf9jbjvpd6cnxcsq3"},
  "data": {"agent": "ada", "fence": 35, "by": "First agent"}
}
```
"""


class Command(BaseCommand):
    """``docs`` writes them; ``--check`` fails where the committed ones are not these."""

    help = "Write the pages of docs/ that are made from the code's own catalogues."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """``--check``."""
        parser.add_argument("--check", action="store_true", help="Write nothing; exit 1 when they have drifted.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked; nothing is written by a check."""
        wrong = unlisted(settings.BASE_DIR)
        if wrong:
            raise CommandError("coordination/management/events.py does not fit the code:\n- " + "\n- ".join(wrong))
        # Apps above this one are named by the settings, and not known here.
        more = {name: import_string(maker) for name, maker in settings.DOCUMENTS.items()}
        for name, make in ({"errors.md": errors, "events.md": events} | more).items():
            text = make()
            path = settings.BASE_DIR / "docs" / name
            if options["check"]:
                if not path.exists() or path.read_text() != text:
                    raise CommandError(f"docs/{name} has drifted: run `python3 manage.py docs` and commit it")
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                self.stdout.write(f"wrote docs/{name}")


def errors() -> str:
    """docs/errors.md."""
    rows = [
        f"| `{code}` | {CATALOGUE[code].status} | {CATALOGUE[code].title} | {CATALOGUE[code].remedy} |" for code in Code
    ]
    return _MADE.format(source="tenants/problems.py") + _ERRORS + "\n".join(rows) + "\n"


def events() -> str:
    """docs/events.md."""
    parts = [_MADE.format(source="coordination/management/events.py") + _EVENTS]
    for title, section in SECTIONS.items():
        parts.append(f"\n## {title}\n")
        for kind, entry in section.items():
            parts += _event(kind, entry)
    return "\n".join(parts).rstrip() + "\n"


def _event(kind: str, entry: EventType) -> Iterator[str]:
    yield f"### {kind}\n"
    where = [f"Subject: {entry.subject}."]
    if entry.stream == "team":
        where.append("In the team's stream.")
    if entry.inbox:
        where.append(f"In the inbox of: {entry.inbox}.")
    yield f"{entry.when} {' '.join(where)}\n"
    for example in entry.examples:
        yield f"```json\n{json.dumps(example)}\n```\n"
