"""The committed document is the served one; what would break clients is found."""

import copy
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from jsonschema import Draft202012Validator

from coordination.api import openapi
from coordination.api.routes import ROUTES
from tests.client import DOCUMENT

COMMITTED = Path(__file__).resolve().parents[2] / "docs/generated/openapi.json"


def test_the_committed_document_has_not_drifted():
    call_command("openapi", "--check")
    assert json.loads(COMMITTED.read_text()) == json.loads(json.dumps(DOCUMENT))


def test_the_document_says_what_the_table_says():
    operations = {o["operationId"] for path in DOCUMENT["paths"].values() for o in path.values()}
    assert operations == {route.name for route in ROUTES}
    assert len(operations) == len(ROUTES)


def test_its_schemas_are_json_schema_2020_12_and_all_references_lead_somewhere():
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    text = json.dumps(DOCUMENT)
    for part in text.split('"$ref": "')[1:]:
        found = DOCUMENT
        for name in part.split('"')[0].removeprefix("#/").split("/"):
            found = found[name]


def test_every_shape_and_route_is_described():
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert schema.get("description"), name
    assert all(route.summary and not route.summary.endswith(".") for route in ROUTES)


def _without(path: str, **more):
    def change(document):
        *parents, last = path.split("|")
        target = document
        for name in parents:
            target = target[name]
        del target[last]

    return change


def _require(document):
    document["components"]["schemas"]["ClaimCreate"].setdefault("required", []).append("reason")


def _retype(document):
    document["components"]["schemas"]["Claim"]["properties"]["fence"] = {"type": "string"}


def _demand_parameter(document):
    operation = document["paths"]["/api/v1/me"]["get"]
    operation["parameters"].append({"name": "new", "in": "query", "required": True, "schema": {}})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_without("paths|/api/v1/me"), "GET /api/v1/me is gone"),
        (_without("paths|/api/v1/me|get|responses|200"), "no longer answers 200"),
        (_without("components|schemas|Claim"), "Claim is gone"),
        (_without("components|schemas|Claim|properties|fence"), "Claim.fence is gone"),
        (_without("components|schemas|Claim|required"), "Claim.id may now be missing"),
        (_require, "ClaimCreate.reason is now demanded"),
        (_retype, "Claim.fence changed its type"),
        (_demand_parameter, "now demands new"),
    ],
)
def test_breaking_changes_are_found(change, told):
    new = copy.deepcopy(DOCUMENT)
    change(new)
    assert any(told in line for line in openapi.breaking(DOCUMENT, new))
    assert openapi.breaking(DOCUMENT, DOCUMENT) == []


def test_additions_break_nobody():
    old = copy.deepcopy(DOCUMENT)
    del old["paths"]["/api/v1/me"]
    del old["components"]["schemas"]["Claim"]["properties"]["fence"]
    old["components"]["schemas"]["Claim"]["required"].remove("fence")
    assert openapi.breaking(old, DOCUMENT) == []


def test_the_command_compares_with_an_older_document(tmp_path):
    old = copy.deepcopy(DOCUMENT)
    old["paths"]["/api/v1/gone"] = {"get": {"responses": {}, "parameters": []}}
    (tmp_path / "old.json").write_text(json.dumps(old))
    with pytest.raises(CommandError, match="GET /api/v1/gone is gone"):
        call_command("openapi", "--compat", str(tmp_path / "old.json"))
