"""The documents say what is so: links lead somewhere, examples fit the API, commands and settings are there."""

import ast
import io
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import CommandError

from coordination.api import parse
from coordination.api.router import BASE, Router
from coordination.api.routes import ROUTES
from tests.client import check_shape
from tests.meta.code import ROOT, called, functions, modules, tracked

PAGES = sorted(path for path in tracked() if path.suffix == ".md")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```(\S+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACES = {"P": "/teams/demo/projects/main", "T": "/teams/demo"}
_OWN_COMMANDS = {"up", "test", "bench"}  # of deploy/bootstrap.py; the others are Django's
_WRITTEN_OUT = re.compile(r"manage\.py ([a-z_]+)")


def blocks(kind: str) -> list[Any]:
    """Fenced blocks of one language over all pages: (what stands behind the language, text), with a readable id."""
    return [
        pytest.param(what, text, id=f"{page.relative_to(ROOT)}-{number}")
        for page in PAGES
        for number, (language, what, text) in enumerate(_BLOCK.findall(page.read_text()))
        if language == kind
    ]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists() and found.is_relative_to(ROOT), f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} links to {target}"


def test_every_page_is_reached_from_the_readme() -> None:
    reached, todo = set(), [ROOT / "README.md", ROOT / "CLAUDE.md"]
    while todo:
        page = todo.pop()
        if page not in reached and page.suffix == ".md" and page.exists():
            reached.add(page)
            targets = [target.partition("#")[0] for target in _LINK.findall(page.read_text()) if "://" not in target]
            todo += [(page.parent / target).resolve() for target in targets if target]
    assert set(PAGES) - reached == set()


@pytest.mark.parametrize(("shape", "text"), blocks("json"))
def test_answers_in_the_documents_have_the_shape_they_are_said_to_have(shape: str, text: str) -> None:
    value = json.loads(text)
    if shape:
        check_shape(shape, value)


@pytest.mark.parametrize(("_", "text"), blocks("http"))
def test_requests_in_the_documents_would_be_taken(_: str, text: str) -> None:
    head, _, body = text.strip().partition("\n\n")
    method, target = head.split("\n")[0].split(" ")
    for header in head.split("\n")[1:]:
        assert re.fullmatch(r"(Interlock-Instance: ins_\w{26}\.\d+|Idempotency-Key: \S+)", header), header
    path, _, query = target.partition("?")
    first, _, rest = path.partition("/")
    path = path.removeprefix(BASE) if path.startswith(BASE) else f"{_PLACES[first]}{'/' if rest else ''}{rest}"
    route, _ = Router(ROUTES).find(method, BASE + path)
    parse.query(route, query.encode())
    if body:
        assert route.body is not None
        parse.body(route.body, body.encode(), b"application/json")


def test_the_examples_are_found() -> None:
    assert len(blocks("http")) > 5
    assert len([block for block in blocks("json") if block.values[0]]) > 10


def test_documents_made_from_code_are_the_committed_ones() -> None:
    call_command("docs", check=True)


def test_a_document_that_drifted_is_noticed(settings: Any, tmp_path: Path) -> None:
    # The code it is held against is still here, so the catalogue's own check has to find it there, too.
    for folder in ("coordination", "tenants"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "docs").mkdir()
    settings.BASE_DIR = tmp_path
    with pytest.raises(CommandError, match=r"docs/errors\.md has drifted"):
        call_command("docs", check=True)
    call_command("docs", stdout=io.StringIO())
    call_command("docs", check=True)
    events = tmp_path / "docs/events.md"
    events.write_text(events.read_text().replace("fence", "hedge"))
    with pytest.raises(CommandError, match=r"docs/events\.md has drifted"):
        call_command("docs", check=True)


def test_commands_in_the_documents_exist() -> None:
    known = set(get_commands()) | _OWN_COMMANDS
    named = {(page.name, name) for page in PAGES for name in _WRITTEN_OUT.findall(page.read_text())}
    assert {name for _, name in named} >= {"up", "test", "create_team"}
    assert [(page, name) for page, name in sorted(named) if name not in known] == []


def test_files_named_in_the_documents_exist() -> None:
    rooted = re.compile(r"`((?:coordination|tenants|dashboard|mcp_gateway|deploy|tests|docs)/[\w./*-]+)`")
    for page in PAGES:
        if page.parent.name == "design":
            continue  # what is to be, not what is
        for name in rooted.findall(page.read_text()):
            assert list(ROOT.glob(name.rstrip("/"))), f"{page.name} names {name}"


def test_decisions_named_in_the_code_exist() -> None:
    written = {path.name[:4] for path in (ROOT / "docs/adr").glob("*.md")}
    assert written == {f"{number:04d}" for number in range(1, len(written) + 1)}
    for path in tracked():
        if path.suffix in (".py", ".toml", ".md", ".html"):
            for number in re.findall(r"(?:ADR |docs/adr/)(\d{4})", path.read_text()):
                assert number in written, f"{path.relative_to(ROOT)} names ADR {number}"


def test_the_changelog_begins_with_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == project["version"]
    assert versions == sorted(set(versions), key=lambda version: tuple(map(int, version.split("."))), reverse=True)


def test_every_management_command_of_ours_has_a_test() -> None:
    ours = {
        path.stem
        for app in settings.INSTALLED_APPS
        for path in (ROOT / app / "management/commands").glob("[!_]*.py")
        if (ROOT / app).is_dir()
    }
    run = {
        argument.value
        for module in modules("tests")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and called(node).rpartition(".")[2] in ("call_command", "manage", "run", "command")
        for argument in ast.walk(node)
        if isinstance(argument, ast.Constant)
    }
    assert ours >= {"docs", "openapi", "create_team"}
    assert ours - run == set()


# --- settings -----------------------------------------------------------------------------------------------


def asked_for() -> dict[str, ast.Call]:
    """The settings that are read from the environment, by name."""
    found = {}
    for module in modules("deploy"):
        if module.name in ("deploy/settings.py", "deploy/asgi.py"):
            for node in ast.walk(module.tree):
                if called(node) in ("env", "env_bool", "env_int") and isinstance(node, ast.Call):
                    name = node.args[0]
                    if isinstance(name, ast.Constant):
                        found[str(name.value)] = node
    return found


def documented() -> dict[str, str]:
    """deploy/env.example: name -> default as it is written there."""
    lines = (ROOT / "deploy/env.example").read_text().splitlines()
    return dict(re.findall(r"^#([A-Z_]+)=(.*)$", "\n".join(lines), re.MULTILINE))


def test_every_setting_is_documented_and_every_documented_one_is_read() -> None:
    assert set(asked_for()) == set(documented())
    # Nothing is set by copying the file: each default is commented out.
    assert not re.search(r"^[A-Z_]+=", (ROOT / "deploy/env.example").read_text(), re.MULTILINE)


def test_documented_defaults_are_the_ones_in_the_code() -> None:
    for name, call in asked_for().items():
        given = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
        try:
            default = eval(compile(ast.Expression(given[0]), name, "eval"), {"__builtins__": {}})
        except (NameError, TypeError):
            continue  # it depends on others; the text above the line says how
        text = {True: "1", False: "0"}.get(default, str(default)) if isinstance(default, bool) else str(default)
        assert documented()[name] == text, name


def test_the_example_of_the_documentation_is_as_short_as_the_readme_says() -> None:
    example = (ROOT / "docs/examples/two_agents.py").read_text()
    assert len(example.splitlines()) <= 400
    assert {f.name for f in functions(ast.parse(example))} >= {"ada", "ben", "cleo"}
