"""A6: what can never succeed is refused now with a SCIM error that names it, and nothing changed."""

import json

import aiohttp
import pytest
from support.idp import TOKEN, add, group, user
from support.relays import relay_for

from relay.simulator.seed import sow

FAST = {"rate": 100}
SCIM = "application/scim+json"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
ADA = "ada@example.com"


@pytest.fixture
async def relay(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        yield relay


async def raw(relay, method, path, data=None, **headers):
    """A request as any client may make it; status, body and headers."""
    base = {"Authorization": f"Bearer {TOKEN}", "Content-Type": SCIM}
    url = f"http://127.0.0.1:{relay.parts.port}/scim/v2{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=data, headers={**base, **headers}) as reply,
    ):
        text = await reply.text()
        return reply.status, json.loads(text) if text else None, reply.headers


async def state_of(relay):
    counters = await relay.counters()
    users, groups = await relay.idp.get("/Users"), await relay.idp.get("/Groups")
    return counters, users.body["Resources"], groups.body["Resources"]


CASES = [
    ("POST", "/Users", b"{", 400, "JSON"),
    ("POST", "/Users", b"[]", 400, "object"),
    ("POST", "/Users", b"", 400, ""),
    ("POST", "/Users", b'{"userName": 5}', 400, "userName"),
    ("POST", "/Users", b"{}", 400, "userName"),
    ("POST", "/Users", b'{"userName": ""}', 400, "userName"),
    ("POST", "/Users", b'{"userName": "a@x.org", "active": "perhaps"}', 400, "active"),
    ("POST", "/Users", b'{"userName": "no address", "emails": []}', 400, "address"),
    ("POST", "/Users", b'{"userName": "no address"}', 400, "address"),
    ("POST", "/Users", b"[" * 500 + b"]" * 500, 400, ""),
    ("POST", "/Users", b'\xff\xfe{"userName": "a"}', 400, ""),
    ("POST", "/Groups", b"{}", 400, "displayName"),
    ("POST", "/Groups", b'{"displayName": "G", "members": 5}', 400, "members"),
    ("POST", "/Groups", b'{"displayName": "G", "members": [{"value": "nobody"}]}', 404, "nobody"),
    ("POST", "/Users", json.dumps(user(ADA)).encode(), 409, ADA),
    ("POST", "/Users", json.dumps(user(ADA.upper())).encode(), 409, "userName"),
    ("POST", "/Groups", json.dumps(group("crew")).encode(), 409, "displayName"),
    ("PATCH", "/Users/{ada}", b"{}", 400, "Operations"),
    ("PATCH", "/Users/{ada}", b'{"Operations": [{"op": "fly"}]}', 400, "op:"),
    ("PATCH", "/Users/{ada}", b'{"Operations": [{"op": "replace", "path": "emails["}]}', 400, ""),
    ("PUT", "/Users/{ada}", b'{"userName": {"first": "ada"}}', 400, "userName"),
    ("PATCH", "/Users/nobody", b'{"Operations": [{"op": "replace", "value": {}}]}', 404, "nobody"),
    ("DELETE", "/Users/nobody", None, 404, "nobody"),
    ("GET", "/Users/nobody", None, 404, "nobody"),
    ("GET", "/Users?filter=userName%20zz%20%22a%22", None, 400, "filter"),
    ("GET", "/Nothing", None, 404, ""),
    ("POST", "/Users/{ada}", b"{}", 405, ""),
    ("PATCH", "/Users", b"{}", 405, ""),
    ("DELETE", "/Groups", None, 405, ""),
]


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "named"), CASES, ids=lambda case: str(case)[:40]
)
async def test_it_is_refused_by_name_and_nothing_changes(relay, method, path, data, status, named):
    ada = await relay.idp.create_user(ADA)
    await relay.idp.create_group("Crew", ada)
    await relay.settled()
    before = await state_of(relay)
    found, body, headers = await raw(relay, method, path.format(ada=ada), data)

    assert (found, body["schemas"], body["status"]) == (status, [ERROR], str(status))
    assert named.lower() in body["detail"].lower()
    assert headers["Content-Type"].startswith(SCIM)
    assert await state_of(relay) == before


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer nonsense", f"Basic {TOKEN}", TOKEN[:-1]]
)
async def test_without_a_good_token_it_is_401_and_says_how(relay, authorization):
    status, body, headers = await raw(relay, "GET", "/Users", Authorization=authorization)
    assert (status, body["schemas"]) == (401, [ERROR])
    assert headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_body_that_is_no_json_by_its_own_word_is_415(relay):
    status, body, _ = await raw(relay, "POST", "/Users", b"a=b", **{"Content-Type": "text/html"})
    assert (status, body["schemas"]) == (415, [ERROR])


async def test_a_body_beyond_the_limit_is_413(unlimited, tmp_path):
    listen = {"max_body": "10kB"}
    async with relay_for(unlimited, tmp_path, target=FAST, listen=listen) as relay:
        status, body, _ = await raw(relay, "POST", "/Users", b" " * 20_000)
        assert (status, body["schemas"]) == (413, [ERROR])
        assert (await relay.idp.get("/Users")).status == 200


async def test_a_group_past_1000_members_is_413_with_the_size_it_would_have(unlimited, tmp_path):
    people = sow(unlimited.directory, {"users": 1001})["users"]
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        crew = await relay.idp.create_group("Crew", *people[:1000])
        await relay.settled()
        for reply in (
            await relay.idp.patch(f"/Groups/{crew}", add(people[1000])),
            await relay.idp.post("/Groups", group("Everybody", *people)),
        ):
            assert reply.status == 413
            assert "1001 members" in reply.body["detail"]
        [made] = unlimited.directory.groups
        assert len(made.fields.members) == 1000
