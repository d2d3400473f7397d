"""Made-up requests over the whole document: whatever is sent, the answer is one that the document names."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks

from coordination.api import openapi
from coordination.api.routes import ROUTES
from tenants.permissions import Permission
from tests.making import Place, make_place
from tests.web import Web

checks.load_all_checks()
# Streams never end, so they are tried elsewhere (test_waiting).
schema = schemathesis.openapi.from_dict(openapi.build([route for route in ROUTES if route.follow is None]))
WANTED = checks.CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
        "negative_data_rejection",
        "allow_header_conformance",
    ]
)


@pytest.fixture(scope="module")
def caller(web: Web) -> tuple[str, Place, dict[str, str]]:
    """Where, and as whom: somebody who may do everything in a team of their own."""
    place = make_place()
    return web.url, place, {"Authorization": f"Bearer {place.token(*Permission)}"}


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@pytest.mark.invariant("INV-19")
def test_whatever_is_sent(case, caller):
    url, place, headers = caller
    # Half of the point is to get past the door: the path leads to things that exist.
    if "team" in (case.path_parameters or {}):
        case.path_parameters["team"] = place.slug
    if "project" in (case.path_parameters or {}):
        case.path_parameters["project"] = place.project
    for mapping in (case.query or {}, case.body if isinstance(case.body, dict) else {}):
        if type(mapping.get("wait_seconds")) is int and mapping["wait_seconds"] > 0:
            mapping["wait_seconds"] = 0
    response = case.call(base_url=url, headers=headers)
    # A body can be wrong by being longer than we read: 413 refuses it as well, which the tool does not know.
    unfit = checks.CHECKS.get_by_names(["negative_data_rejection"]) if response.status_code == 413 else []
    case.validate_response(response, checks=WANTED, excluded_checks=unfit)
