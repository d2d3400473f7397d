"""The operator's command for a new team, where sign-up is closed (platform.md, "Teams, projects, people")."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.problems import Problem
from tenants.services.setup import team_set_up


class Command(BaseCommand):
    """Makes a team with an owner, who gets a generated password if they are new here."""

    help = "Create a team: create_team acme --owner ada@example.com [--name 'Acme Ltd'] [--project web]"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="short name in addresses: a-z, 0-9 and -")
        parser.add_argument("--owner", required=True, metavar="EMAIL", help="its owner, made if unknown here")
        parser.add_argument("--name", default="", help="display name (the slug if left out)")
        parser.add_argument("--project", default=None, help="also make a project with a repository `main`")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = team_set_up(
                slug=options["slug"],
                name=options["name"],
                owner_email=options["owner"],
                project=options["project"],
            )
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        if options["json"]:
            self.stdout.write(json.dumps(made))
            return
        for name, value in made.items():
            self.stdout.write(f"{name}: {value}")
