"""Write, or check, the committed OpenAPI document."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from coordination.api import openapi
from coordination.api.routes import ROUTES

PATH = Path("docs/generated/openapi.json")


class Command(BaseCommand):
    """``openapi`` writes it; ``--check`` fails on drift, ``--compat FILE`` on what would break its
    clients.
    """

    help = "Write docs/generated/openapi.json from the table of routes."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """``--check`` and ``--compat``."""
        parser.add_argument("--check", action="store_true", help="Exit 1 when the committed document is not this one.")
        parser.add_argument("--compat", metavar="FILE", help="Exit 1 when clients of that document could break.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do what was asked; nothing is written by a check."""
        document = openapi.build(ROUTES)
        text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        path = settings.BASE_DIR / PATH
        if options["compat"]:
            found = openapi.breaking(json.loads(Path(options["compat"]).read_text()), document)
            if found:
                raise CommandError("this would break clients:\n" + "\n".join(f"- {line}" for line in found))
        if options["check"]:
            if not path.exists() or path.read_text() != text:
                raise CommandError(f"{PATH} has drifted: run `python3 manage.py openapi` and commit it")
        elif not options["compat"]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            self.stdout.write(f"wrote {PATH}")
