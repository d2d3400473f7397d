"""People with roles in a fresh team, and processes that act beside the test's own."""

import multiprocessing
import os
import secrets
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from typing import Any

import psycopg

from tenants.auth import principal_for_person
from tenants.db import transaction
from tenants.models import Membership, Person
from tenants.principal import Principal
from tests.making import Place, make_place

PASSWORD = "correct-horse-battery"
SPAWN = multiprocessing.get_context("spawn")


def make_person(name: str = "Pat", *, signs_in: bool = False) -> Person:
    """Somebody new; with a password only where the test signs them in, since hashing one takes its time."""
    email = f"{name.lower()}-{secrets.token_hex(6)}@example.com"
    return Person.objects.create_user(email, PASSWORD if signs_in else None, name=name)


def join(place: Place, role: str, *, person: Person | None = None) -> tuple[Principal, Person]:
    """A member of the place's team with a role, and their principal as the dashboard would make it."""
    person = person or make_person(role.title())
    with transaction(place.team_id):
        Membership.objects.create(team_id=place.team_id, person=person, role=role)
    return principal_for_person(person, place.slug), person


def make_team() -> tuple[Place, Principal]:
    """A fresh team with a stored owner."""
    place = make_place()
    return place, join(place, "owner")[0]


def spawn(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """A process of its own, with connections of its own; it dies with the test run."""
    process = SPAWN.Process(target=target, args=arguments, daemon=True)
    process.start()
    return process


def as_app() -> psycopg.Connection[Any]:
    """A bare connection of the application's role: what an SQL injection would have in hand."""
    return psycopg.connect(os.environ["DATABASE_URL"])


def as_owner() -> psycopg.Connection[Any]:
    """A bare connection of the owner of the tables, who sees everything."""
    return psycopg.connect(os.environ["MIGRATE_DATABASE_URL"])
