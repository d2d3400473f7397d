"""What anybody may ask: health, metrics, documents, problem pages."""

import httpx
import pytest

from tenants.problems import CATALOGUE, Code
from tests.client import DOCUMENT
from tests.web import running_web


def get(web, path: str, **headers: str) -> httpx.Response:
    return httpx.get(web.url + path, headers=headers, timeout=30)


def test_health_and_readiness(web):
    assert get(web, "/healthz").json() == {"status": "ok"}
    ready = get(web, "/readyz")
    assert ready.status_code == 200
    body = ready.json()
    assert (body["checks"]["database"], body["checks"]["isolation"], body["checks"]["redis"]) == ("ok", "ok", "ok")
    assert body["connections"]["hot_threads"] == 8
    assert httpx.head(web.url + "/healthz").status_code == 200
    refused = httpx.post(web.url + "/healthz")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


def test_readiness_degrades_without_redis_and_fails_without_the_database():
    with running_web(REDIS_URL="redis://127.0.0.1:1/0") as web:
        ready = get(web, "/readyz")
        assert (ready.status_code, ready.json()["status"], ready.json()["checks"]["redis"]) == (200, "degraded", "away")
    with running_web(DATABASE_URL="postgresql://none:none@127.0.0.1:1/none") as web:
        ready = get(web, "/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert get(web, "/healthz").status_code == 200
        from tenants.tokens import mint

        refused = get(web, "/api/v1/me", Authorization=f"Bearer {mint('agent').text}")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers["Retry-After"]


def test_a_role_that_owns_tables_is_refused():
    import os

    with (
        pytest.raises(RuntimeError, match=r"Interlock does not start.*owns tables"),
        running_web(DATABASE_URL=os.environ["MIGRATE_DATABASE_URL"]),
    ):
        pass


def test_a_key_that_anybody_can_read_is_refused():
    from deploy.settings import PUBLIC_KEY

    with pytest.raises(RuntimeError, match=r"SECRET_KEY is the public default"), running_web(SECRET_KEY=PUBLIC_KEY):
        pass


def test_metrics_have_bounded_labels(web, agent):
    agent.claim("x.py")
    agent.get("P/claims/made-up")
    text = get(web, "/metrics").text
    assert 'interlock_requests_total{door="token",route="claim_create",status="2xx"}' in text
    assert 'interlock_requests_total{door="token",route="claim_get",status="4xx"}' in text
    assert 'interlock_request_seconds_bucket{le="0.005",route="claim_create"}' in text
    assert "made-up" not in text and agent.place.slug not in text


def test_the_document_is_served_and_sound(web):
    assert get(web, "/api/v1/openapi.json").json() == DOCUMENT
    assert DOCUMENT["openapi"] == "3.1.0"


def test_the_docs_page_lists_every_route_and_nothing_inline(web):
    page = get(web, "/api/v1/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for operations in DOCUMENT["paths"].values():
        for operation in operations.values():
            assert f'id="{operation["operationId"]}"' in page.text
    assert "<script" not in page.text and "style=" not in page.text and "<style" not in page.text


def test_every_problem_type_resolves(web):
    for code in Code:
        page = get(web, f"/problems/{code}", Accept="text/html")
        assert page.status_code == 200 and "<h1>" in page.text
        assert get(web, f"/problems/{code}", Accept="application/json").json() == {
            "code": code,
            **CATALOGUE[code]._asdict(),
        }
    assert get(web, "/problems/").status_code == 200
    assert len(get(web, "/problems/", Accept="application/json").json()["items"]) == len(Code)
    assert get(web, "/problems/made-up").status_code == 404


def test_trace_and_request_ids_are_in_the_log(place):
    from tests.client import Api

    with running_web(LOG_LEVEL="INFO") as web:
        api = Api(web.url, place, token=place.token())
        trace = "0af7651916cd43dd8448eb211c80319c"
        api.get("/api/v1/me", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01", "X-Request-Id": "mine"})
        assert f"request=mine trace={trace}" in web.said()
        assert api.token not in web.said()
