"""Verification over HTTP: what a commit hook, a pipeline and a mistaken client get."""

import pytest

from tenants.permissions import PRESETS
from tests.client import Api

BLOB, OTHER, DIGEST = "1" * 40, "2" * 40, "a" * 64


def test_a_commit_is_attested_and_its_pipeline_finds_it_when_the_claim_is_gone(agent, web, place):
    held = agent.claim("src/**").json()
    changes = [{"path": "src/a.py", "blob": BLOB, "patch": DIGEST}, {"path": "README.md", "blob": OTHER}]
    answer = agent.post("P/verify", {"changes": changes, "attest": True, "branch": "topic", "task": "KEY-1"}).json()
    assert (answer["verdict"], answer["policy"], answer["failed"], answer["attested"]) == ("warn", "warn", 1, 1)
    assert [finding["status"] for finding in answer["findings"]] == ["covered", "unclaimed"]
    agent.delete(f"P/claims/{held['id']}")
    ci = Api(web.url, place, token=place.token(*PRESETS["ci"]))
    asked = [{"path": "src/a.py", "blob": OTHER, "patches": [DIGEST]}, {"path": "README.md", "blob": OTHER}]
    found = ci.post("P/verify", {"changes": asked, "against": "attestations"}).json()["findings"]
    assert [(finding["status"], finding["fence"]) for finding in found] == [
        ("attested", held["fence"]),
        ("unclaimed", None),
    ]
    assert found[0]["by"]["agent"] == "tester"


def test_a_pipelines_token_attests_nothing(web, place):
    ci = Api(web.url, place, token=place.token(*PRESETS["ci"]))
    refused = ci.post("P/verify", {"changes": [{"path": "a.py", "blob": BLOB}], "attest": True})
    assert (refused.status_code, refused.json()["lacks"]) == (403, ["coordinate"])


def test_a_retried_commit_hook_gets_the_same_answer_and_attests_once(agent):
    agent.claim("a.py")
    body = {"changes": [{"path": "a.py", "blob": BLOB}], "attest": True}
    first, again = (agent.post("P/verify", body, headers={"Idempotency-Key": "commit-1"}).json() for _ in range(2))
    assert first == again
    assert first["attested"] == 1
    assert agent.post("P/verify", body).json()["attested"] == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"blob": "abc"}, "changes.0.blob"),
        ({"blob": BLOB.replace("1", "G")}, "changes.0.blob"),
        ({"blob": None}, "changes.0.blob"),
        ({"patch": "x"}, "changes.0.patch"),
        ({"patches": [DIGEST + "0"]}, "changes.0.patches.0"),
        ({"patches": DIGEST}, "changes.0.patches"),
        ({"lines": "1-2"}, "changes.0.lines"),
    ],
)
@pytest.mark.invariant("INV-19")
def test_a_change_that_is_none_is_refused_by_its_field(agent, change, field):
    refused = agent.post("P/verify", {"changes": [{"path": "a.py", "blob": BLOB, **change}]})
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]


def test_as_many_changes_as_a_request_may_have_are_taken_and_one_more_is_not(agent):
    changes = [{"path": f"d{n % 99}/f{n}.py"} for n in range(5_001)]
    assert agent.post("P/verify", {"changes": changes}).status_code == 422
    assert agent.post("P/verify", {"changes": changes[:-1]}).json()["failed"] == 5_000
