"""The same at both doors: mistakes, refusals, and requests that were sent twice (INV-18)."""

import pytest

from tests.client import Api
from tests.making import make_place
from tests.mcp.speaking import Mcp


@pytest.fixture
def run(web, place, era) -> tuple[Mcp, Api]:
    """One run of one credential at both doors."""
    token = place.token()
    mcp = Mcp(web, place, token, era=era).join("ada")
    api = Api(web.url, place, token=token)
    api.http.headers["Interlock-Instance"] = str(mcp.instance)
    return mcp, api


CLAIMS = [
    {"paths": ["/etc/passwd"]},
    {"paths": ["../x"]},
    {"paths": [""]},
    {"paths": []},
    {"paths": ["a\x00b"]},
    {"paths": ["a"], "repository": "nosuch"},
    {"paths": ["a"], "mode": "mine"},
    {"paths": ["a"], "ttl_seconds": 0},
    {"paths": ["a"], "ttl_seconds": "60"},
    {"paths": ["a"], "wait_seconds": 601},
    {"paths": ["a"], "wait_seconds": True},
    {"paths": ["a"], "reason": "x" * 501},
    {"paths": ["a"], "unheard_of": 1},
    {"scopes": [{"pattern": "[z-a]"}]},
    {"scopes": [{"pattern": "a", "except": [{"pattern": "/b"}]}]},
    {"scopes": [{"pattern": "a", "unheard_of": 1}]},
]


@pytest.mark.parametrize("body", CLAIMS, ids=str)
def test_the_same_mistake_has_the_same_code(run, body):
    mcp, api = run
    rest, told = api.post("P/claims", body), mcp.call("claim", **body)
    assert told.mistake and 400 <= rest.status_code < 500
    assert (told.body["code"], told.body["status"]) == (rest.json()["code"], rest.json()["status"])
    fields = {error["field"] for error in rest.json().get("errors", [])}
    assert fields == {error["field"] for error in told.body.get("errors", [])} or fields == {"body"}


@pytest.mark.parametrize(
    ("tool", "arguments", "method", "path", "body"),
    [
        ("release", {"claim_ids": ["nonsense"]}, "POST", "P/claims/release", {"claim_ids": ["nonsense"]}),
        ("release", {"queue": "que_nonsense"}, "DELETE", "P/queue/que_nonsense", None),
        ("claim", {"queue": "que_nonsense"}, "GET", "P/queue/que_nonsense", None),
        ("message", {"action": "send", "to": "ins_x", "text": "t"}, "POST", "P/messages", {"to": "ins_x", "text": "t"}),
        ("message", {"action": "send", "to": "", "text": "t"}, "POST", "P/messages", {"to": "", "text": "t"}),
        ("message", {"action": "ack", "message_ids": ["msg_x"]}, "POST", "P/inbox/ack", {"message_ids": ["msg_x"]}),
        ("message", {"action": "read", "limit": 0}, "GET", "P/inbox?limit=0", None),
        ("sync", {"after": "-1"}, "GET", "P/sync?after=-1", None),
        ("verify", {"changes": [{"path": "/a"}]}, "POST", "P/verify", {"changes": [{"path": "/a"}]}),
        ("verify", {"changes": [{"blob": "a"}]}, "POST", "P/verify", {"changes": [{"blob": "a"}]}),
    ],
)
def test_and_so_it_is_for_the_other_tools(run, tool, arguments, method, path, body):
    mcp, api = run
    rest, told = api.request(method, path, json=body), mcp.call(tool, **arguments)
    assert told.mistake and told.body["code"] == rest.json()["code"]


def test_a_refusal_has_the_same_body(run, web, place):
    mcp, api = run
    Mcp(web, place, place.token()).join("bob").call("claim", paths=["a.py"])
    rest, told = api.post("P/claims", {"paths": ["a.py"]}).json(), mcp.call("claim", paths=["a.py"]).body
    for changing in ("request_id", "instance", "retry_after", "options", "detail"):
        rest.pop(changing), told.pop(changing)
    for conflict in (*rest["conflicts"], *told["conflicts"]):
        conflict["holder"].pop("last_seen")
    assert rest == told


@pytest.mark.invariant("INV-18")
@pytest.mark.parametrize("first", ["mcp", "rest"])
def test_a_request_retried_at_the_other_door_is_answered_from_memory(run, first):
    mcp, api = run
    body = {"paths": ["a.py"], "reason": "once"}

    def by_mcp():
        told = mcp.call("claim", idempotency_key="k-1", **body)
        return told.body, told.meta.get("interlock/replayed", False), told

    def by_rest():
        answer = api.post("P/claims", body, headers={"Idempotency-Key": "k-1"})
        return answer.json(), "Idempotency-Replayed" in answer.headers, None

    one, two = (by_mcp, by_rest) if first == "mcp" else (by_rest, by_mcp)
    (made, fresh, _), (again, replayed, told) = one(), two()
    assert (fresh, replayed) == (False, True)
    assert again == made
    if told is not None:
        assert "from memory" in told.text
    assert len(api.get("P/claims").json()["items"]) == 1
    # Under the same key something else is refused, here as there.
    assert mcp.call("claim", idempotency_key="k-1", paths=["b.py"]).code == "idempotency_mismatch"


def test_keys_of_messages_releases_and_registrations(run):
    mcp, api = run
    for _ in range(2):
        mcp.call("message", action="send", to="all", text="once", idempotency_key="m")
        mcp.call("sync", agent="new", instance=None, idempotency_key="r")
    claim = mcp.call("claim", paths=["a.py"]).body["id"]
    first = mcp.call("release", claim_ids=[claim], idempotency_key="x").body
    assert mcp.call("release", claim_ids=[claim], idempotency_key="x").body == first
    assert len(api.get("P/messages").json()["items"]) == 1
    assert len(api.get("P/instances", params={"agent": "new"}).json()["items"]) == 1


def test_a_run_is_one_run_at_both_doors(run):
    mcp, api = run
    held = mcp.call("claim", paths=["a.py"]).body
    assert api.post("P/claims", {"paths": ["a.py"], "dry_run": True}).json()["free"] is True
    assert api.post("P/verify", {"changes": [{"path": "a.py"}]}).json()["verdict"] == "pass"
    assert api.delete(f"P/claims/{held['id']}").status_code == 200


def test_teams_are_apart(web, era):
    places = make_place(), make_place()
    clients = [Mcp(web, place, place.token(), era=era).join("ada") for place in places]
    assert all(client.call("claim", paths=["a.py"]).text.startswith("GRANTED") for client in clients)
    assert clients[0].call("claim", paths=["b"], instance=clients[1].instance).code == "not_found"
