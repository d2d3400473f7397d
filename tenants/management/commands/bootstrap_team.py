"""The first team of a deployment, once: called by ``manage.py up`` at every start."""

import json
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.problems import Problem
from tenants.services.setup import deployment_bootstrap


class Command(BaseCommand):
    """Makes team, project, owner and agent token when there is no team; says what there is otherwise."""

    help = "Create a first team, project, admin and agent token, unless there is a team already."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        email = os.environ.get("BOOTSTRAP_EMAIL") or "admin@interlock.local"
        try:
            made = deployment_bootstrap(admin_email=email)
        except Problem as problem:
            raise CommandError(problem.detail) from problem
        if options["json"]:
            self.stdout.write(json.dumps(made))
            return
        for name, value in made.items():
            self.stdout.write(f"{name}: {value}")
