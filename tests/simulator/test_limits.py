"""The contract's sections *Limits* and *Discovery*, filters, authentication, media types."""

from __future__ import annotations

import orjson
import pytest

from relay.rules.contract import HCP
from relay.simulator.behaviour import SimulatorSettings
from relay.simulator.seed import sow
from relay.simulator.tfe import Tfe


def members(ids):
    return [{"value": ident} for ident in ids]


def padded(body, size):
    """The body as JSON of exactly this many bytes."""
    bare = orjson.dumps({**body, "pad": ""})
    return orjson.dumps({**body, "pad": "x" * (size - len(bare))})


@pytest.fixture
def thousand(tfe):
    return sow(tfe.directory, {"users": 1_001})["users"]


async def test_a_group_has_a_thousand_members_and_not_one_more(call, thousand):
    full = await call.group("full", thousand[:1_000])
    one = {"op": "Add", "path": "members", "value": members(thousand[1_000:])}
    every = {"members": members(thousand)}

    answers = [
        await call("POST", "/Groups", {"displayName": "more", **every}),
        await call("PUT", f"/Groups/{full}", every),
        await call.patch(f"/Groups/{full}", one),
        await call.patch(f"/Groups/{full}", {"op": "Replace", "value": every}),
    ]

    assert [answer.status for answer in answers] == [413] * 4
    assert thousand[:1_000] == await call.members(full)


async def test_the_member_limit_holds_after_each_operation_of_a_request(call, thousand):
    full = await call.group("full", thousand[:1_000])
    join = {"op": "Add", "path": "members", "value": members(thousand[1_000:])}
    leave = {"op": "Remove", "path": f'members[value eq "{thousand[0]}"]'}

    too_early = await call.patch(f"/Groups/{full}", join, leave)
    in_order = await call.patch(f"/Groups/{full}", leave, join)

    assert (too_early.status, in_order.status) == (413, 200)
    assert thousand[1:] == await call.members(full)


async def test_a_patch_has_a_hundred_operations_and_not_one_more(call):
    ident = await call.user()
    operation = {"op": "Replace", "path": "active", "value": False}

    most = await call.patch(f"/Users/{ident}", *[operation] * 100)
    more = await call.patch(f"/Users/{ident}", *[operation] * 101)

    assert (most.status, more.status) == (200, 400)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"Operations": []},
        {"Operations": {}},
        {"schemas": ["urn:x"], "Operations": [{"op": "Remove"}]},
        {"schemas": "urn:x", "Operations": [{"op": "Remove"}]},
    ],
)
async def test_a_patch_that_is_no_patch_message_is_invalid_syntax(call, body):
    ident = await call.user()

    assert (await call("PATCH", f"/Users/{ident}", body)).error == (400, "invalidSyntax")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_body_has_a_million_bytes_and_not_one_more(call, method):
    path = "/Users" if method == "POST" else f"/Users/{await call.user()}"
    body = {
        "userName": "bob",
        "emails": [{"value": "b@x"}],
        "Operations": [{"op": "Remove", "path": "externalId"}],
    }

    more = await call(method, path, padded(body, 1_000_001))
    most = await call(method, path, padded(body, 1_000_000))

    assert (413, 201 if method == "POST" else 200) == (more.status, most.status)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"userName":NaN}', b"\xff"])
async def test_a_body_that_is_no_json_object_is_invalid_syntax(call, body):
    assert (await call("POST", "/Users", body)).error == (400, "invalidSyntax")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("application/scim+json", 201),
        ("text/plain", 415),
        ("", 415),
    ],
)
async def test_a_body_is_of_one_of_the_two_documented_types(call, content_type, status):
    body = {"userName": "a", "emails": [{"value": "a@x"}]}

    assert status == (await call("POST", "/Users", body, content_type=content_type)).status


@pytest.mark.parametrize(
    ("query", "start", "names"),
    [
        ({}, 1, slice(0, 100)),
        ({"count": 1000}, 1, slice(0, 200)),
        ({"count": 2, "startIndex": 3}, 3, slice(2, 4)),
        ({"count": 2, "startIndex": 0}, 1, slice(0, 2)),
        ({"count": 2, "startIndex": -4}, 1, slice(0, 2)),
        ({"startIndex": 300}, 300, slice(0, 0)),
        ({"count": 0}, 1, slice(0, 0)),
        ({"count": -1}, 1, slice(0, 0)),
    ],
)
async def test_pages_are_cut_as_documented(call, tfe, query, start, names):
    sow(tfe.directory, {"users": 250})
    every = [f"user{number:05}@example.com" for number in range(1, 251)]

    answer = await call("GET", "/Users", **query)

    assert every[names] == [user["userName"] for user in answer.json.pop("Resources")]
    assert answer.json == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 250,
        "startIndex": start,
        "itemsPerPage": len(every[names]),
    }


@pytest.mark.parametrize("name", ["count", "startIndex"])
async def test_a_page_that_is_no_number_is_a_400(call, name):
    assert (await call("GET", "/Groups", **{name: "x"})).error == (400, "invalidValue")


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("/Users", 'userName eq "ADA"', 1),
        ("/Users", 'userName eq "nobody"', 0),
        ("/Users", 'externalId eq "X\\"1"', 1),
        ("/Users", 'externalId eq "x\\"1"', 0),
        ("/Groups", 'displayName eq "CREW"', 1),
        ("/Groups", 'externalId eq "g"', 1),
        ("/Groups", 'externalId eq "G"', 0),
    ],
)
async def test_documented_filters_find_names_without_and_external_ids_with_case(
    call, path, text, found
):
    await call.user("ada", externalId='X"1')
    await call.user("bob", externalId="other")
    await call.group("crew", externalId="g")

    answer = await call("GET", path, filter=text)

    assert (200, found) == (answer.status, answer.json["totalResults"])
    assert found == len(answer.json["Resources"])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/Users", ""),
        ("/Users", "userName pr"),
        ("/Users", 'userName sw "a"'),
        ("/Users", "userName eq ada"),
        ("/Users", 'displayName eq "a"'),
        ("/Users", 'emails.value eq "a"'),
        ("/Users", 'id eq "a"'),
        ("/Users", 'userName eq "a" and externalId eq "b"'),
        ("/Users", 'userName eq "\\q"'),
        ("/Groups", 'userName eq "a"'),
        ("/Groups", 'members.value eq "a"'),
    ],
)
async def test_any_other_filter_is_a_400(call, path, text):
    assert (await call("GET", path, filter=text)).error == (400, "invalidFilter")


@pytest.mark.parametrize(
    "path",
    [
        "/ServiceProviderConfig",
        "/Schemas",
        "/ResourceTypes",
        "/ResourceTypes/User",
        "/ResourceTypes/Group",
    ],
)
async def test_discovery_answers_with_a_token_even_while_paused(call, tfe, path):
    tfe.pause()

    known = await call("GET", path)
    unknown = await call("GET", path, token="none")
    written = await call("POST", path, {})

    assert [known.status, unknown.status, written.status] == [200, 401, 405]
    assert known.json["schemas"]


@pytest.mark.parametrize(
    "path", ["", "/", "/users", "/Bulk", "/Users/a/b", "/Users/", "/Schemas/x", "/Me"]
)
async def test_a_wrong_path_is_a_404(call, path):
    assert (await call("GET", path)).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/Users"), ("DELETE", "/Groups"), ("POST", "/Users/x"), ("POST", "/Groups/x")],
)
async def test_a_wrong_method_is_a_405(call, method, path):
    assert (await call(method, path, {})).status == 405


def test_the_profile_of_hcp_has_its_own_limits():
    tfe = Tfe(SimulatorSettings().for_profile(HCP))

    assert tfe.limiter.limit.rate == 30
    assert tfe.behaviour.reserved_group_names == {"owners", "sso"}
