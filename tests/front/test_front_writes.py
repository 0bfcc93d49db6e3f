from __future__ import annotations

import asyncio
from dataclasses import replace

import orjson
import pytest
from structlog.testing import capture_logs
from support.front_fakes import CONNECTIONS, STRICT_TOKEN, TOKEN, Site, running

from relay.errors import NotOwned, Unavailable
from relay.front.writes import PATCH_MEMBERS
from relay.rules.types import Kind
from relay.store.state.records import ChangeState, Settlement
from relay.telemetry import events

USER = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "alice@example.com",
    "name": {"givenName": "Alice", "familyName": "A"},
    "emails": [{"value": "alice@example.com", "type": "work", "primary": True}],
    "active": True,
}
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
REFUSED = Settlement(ChangeState.REFUSED, None, 409, "uniqueness", "TFE: taken")


SUSPEND = {"op": "replace", "path": "active", "value": False}


def patch(*operations) -> dict[str, object]:
    return {"schemas": [PATCH], "Operations": list(operations)}


def add_group(site: Site) -> None:
    for user in ("u1", "u2"):
        site.directory.add(Kind.USER, user, schemas=USER["schemas"], userName=user)
    site.directory.add(Kind.GROUP, "g1", ("u1",), schemas=[GROUP_SCHEMA], displayName="eng")


def add_large_group(site: Site) -> None:
    members = tuple(f"u{number}" for number in range(PATCH_MEMBERS + 1))
    site.directory.add(Kind.GROUP, "g1", members, schemas=[GROUP_SCHEMA], displayName="all")


async def test_a_creation_is_201_with_location_and_what_was_written(site: Site):
    response, body = await site.send("POST", "/Users", json=USER)

    base = f"http://127.0.0.1:{site.port}/scim/v2"
    assert response.status == 201
    assert response.headers["Location"] == f"{base}/Users/{body['id']}" == body["meta"]["location"]
    assert response.headers["X-Change-Id"] == "1"
    assert response.headers["Content-Type"] == "application/scim+json; charset=utf-8"
    assert body["name"] == USER["name"]
    assert body["emails"] == USER["emails"]
    assert site.directory.answered_changes == [1]
    assert ("POST /Users", 201, "directory") in site.metrics.observed


async def test_the_log_names_what_is_not_kept_and_never_its_value(site: Site):
    with capture_logs() as lines:
        await site.send("POST", "/Users", json={**USER, "password": "s3cret", "shoeSize": 44})

    accepted = [line for line in lines if line["event"] == events.CHANGE_ACCEPTED]
    assert [line["dropped"] for line in accepted] == [["schemas", "password", "shoeSize"]]
    assert "s3cret" not in repr(lines)


async def test_a_write_on_another_s_is_403_counted_and_logged_with_the_connection(site: Site):
    site.directory.failure = NotOwned("this User is another connection's", 7)
    with capture_logs() as lines:
        response, body = await site.send("DELETE", "/Users/u1")

    assert (response.status, body["status"]) == (403, "403")
    assert body["detail"] == "this User is another connection's"
    assert site.metrics.refusals == ["scope"]
    [told] = [line for line in lines if line["event"] == events.REQUEST_REFUSED]
    assert (told["connection"], told["status"], told["reason"]) == ("okta", 403, "scope")


@pytest.mark.parametrize("own", [True, False])
async def test_while_tfe_is_being_read_an_own_connection_creates_nobody_who_is_there(own):
    connections = (replace(CONNECTIONS[0], own=own),)
    async with running(connections=connections) as site:
        site.upstream.complete = False
        there = (Kind.USER, "userName", USER["userName"])
        site.upstream.at_target[there] = lambda: site.directory.add(Kind.USER, "u1", **USER)
        response, _ = await site.send("POST", "/Users", json=USER)

    assert response.status == (409 if own else 201)
    assert site.upstream.fetched == ([there] if own else [])


async def test_what_tfe_has_cannot_be_told_is_503_to_an_own_connection_s_creation():
    async with running(connections=(replace(CONNECTIONS[0], own=True),)) as site:
        site.upstream.complete = site.upstream.reachable = False
        response, _ = await site.send("POST", "/Users", json=USER)

    assert (response.status, response.headers["Retry-After"]) == (503, "7")


async def test_a_duplicate_is_409_uniqueness(site: Site):
    await site.send("POST", "/Users", json=USER)

    response, body = await site.send("POST", "/Users", json=USER)

    assert (response.status, body["scimType"], body["status"]) == (409, "uniqueness", "409")
    assert site.directory.answered_changes == [1]


async def test_put_and_patch_of_a_user_are_200_with_the_resource(site: Site):
    _, user = await site.send("POST", "/Users", json=USER)
    path = f"/Users/{user['id']}"

    put, replaced = await site.send("PUT", path, json={**USER, "title": "Boss"})
    patched, body = await site.send(
        "PATCH", path, json=patch({"op": "Replace", "path": "active", "value": "False"})
    )

    assert (put.status, replaced["title"]) == (200, "Boss")
    assert (patched.status, body["active"], body["id"]) == (200, False, user["id"])
    assert site.directory.answered_changes == [1]


async def test_a_deletion_is_204_without_a_body_then_404(site: Site):
    _, user = await site.send("POST", "/Users", json=USER)

    response, body = await site.send("DELETE", f"/Users/{user['id']}")
    again, error = await site.send("DELETE", f"/Users/{user['id']}")

    assert (response.status, body) == (204, None)
    assert response.headers["X-Change-Id"] == "2"
    assert (again.status, error["status"]) == (404, "404")


async def test_a_group_patch_is_answered_with_the_whole_group(site: Site):
    add_group(site)
    operation = {"op": "Add", "path": "members", "value": [{"value": "u2"}]}

    response, body = await site.send("PATCH", "/Groups/g1", json=patch(operation))

    assert (response.status, body["displayName"]) == (200, "eng")
    assert [member["value"] for member in body["members"]] == ["u1", "u2"]


async def test_a_patch_of_a_large_group_is_204_and_its_roster_is_not_read(site: Site):
    add_large_group(site)
    rename = {"op": "Replace", "path": "displayName", "value": "everyone"}

    response, body = await site.send("PATCH", "/Groups/g1", json=patch(rename))

    assert (response.status, body) == (204, None)
    assert response.headers["X-Change-Id"] == "1"
    assert site.directory.roster_reads == 0


async def test_a_patch_of_a_large_group_that_tfe_answered_in_time_is_204_too(site: Site):
    add_large_group(site)
    site.directory.wait = True
    rename = {"op": "Replace", "path": "displayName", "value": "everyone"}
    asking = asyncio.ensure_future(site.send("PATCH", "/Groups/g1", json=patch(rename)))
    await site.directory.waiting.wait()
    whole = site.directory.resources[Kind.GROUP, "g1"]
    site.directory.settle(1, Settlement(ChangeState.DELIVERED, whole))

    response, body = await asking

    assert (response.status, body) == (204, None)


@pytest.mark.parametrize("query", ["?excludedAttributes=members", "?attributes=displayName"])
async def test_a_patch_of_a_large_group_shows_the_rest_of_it_if_asked_so(site: Site, query):
    add_large_group(site)
    rename = {"op": "Replace", "path": "displayName", "value": "everyone"}

    response, body = await site.send("PATCH", f"/Groups/g1{query}", json=patch(rename))

    assert (response.status, body["displayName"]) == (200, "everyone")
    assert "members" not in body
    assert site.directory.roster_reads == 0


async def test_a_patch_of_a_large_group_shows_its_roster_if_it_is_named(site: Site):
    add_large_group(site)
    rename = {"op": "Replace", "path": "displayName", "value": "everyone"}

    _, body = await site.send("PATCH", "/Groups/g1?attributes=members", json=patch(rename))

    assert len(body["members"]) == PATCH_MEMBERS + 1


async def test_a_group_patch_shows_the_roster_alone_if_asked_for_it(site: Site):
    add_group(site)
    operation = {"op": "Add", "path": "members", "value": [{"value": "u2"}]}

    _, body = await site.send("PATCH", "/Groups/g1?attributes=members", json=patch(operation))

    assert [member["value"] for member in body["members"]] == ["u1", "u2"]
    assert "displayName" not in body


@pytest.mark.parametrize(("query", "shown"), [("", True), ("?excludedAttributes=members", False)])
async def test_a_group_put_shows_the_roster_unless_it_is_excluded(site: Site, query, shown):
    add_group(site)
    body = {"schemas": [GROUP_SCHEMA], "displayName": "eng", "members": [{"value": "u2"}]}

    response, told = await site.send("PUT", f"/Groups/g1{query}", json=body)

    assert response.status == 200
    assert ("members" in told) is shown
    assert not shown or [one["value"] for one in told["members"]] == ["u2"]


async def test_tfe_s_own_answer_is_passed_on_when_it_comes_in_time(site: Site):
    site.directory.wait = True
    asking = asyncio.ensure_future(site.send("POST", "/Users", json=USER))
    await site.directory.waiting.wait()
    created = next(iter(site.directory.resources.values()))
    site.directory.settle(
        1, Settlement(ChangeState.DELIVERED, replace(created, public_id="tfe-id"))
    )

    response, body = await asking

    assert (response.status, body["id"]) == (201, "tfe-id")
    assert response.headers["Location"].endswith("/Users/tfe-id")
    assert ("POST /Users", 201, "target") in site.metrics.observed


async def test_tfe_s_refusal_is_passed_on_with_its_words(site: Site):
    site.directory.wait = True
    asking = asyncio.ensure_future(site.send("POST", "/Users", json=USER))
    await site.directory.waiting.wait()
    site.directory.settle(1, REFUSED)

    response, body = await asking

    assert (response.status, body["scimType"], body["detail"]) == (409, "uniqueness", "TFE: taken")
    assert response.headers["X-Change-Id"] == "1"
    assert site.directory.answered_changes == []


async def test_the_directory_answers_when_tfe_is_slow():
    async with running(answer_wait_s=0.05) as site:
        site.directory.wait = True
        response, _ = await site.send("POST", "/Users", json=USER)

        assert response.status == 201
        assert ("POST /Users", 201, "directory") in site.metrics.observed


async def test_nobody_waits_when_answer_wait_is_zero():
    async with running(answer_wait_s=0) as site:
        site.directory.wait = True
        response, _ = await site.send("POST", "/Users", json=USER)

        assert response.status == 201
        assert not site.directory.waiting.is_set()


async def test_a_strict_connection_hears_503_rather_than_the_directory():
    async with running(answer_wait_s=0.05) as site:
        site.directory.wait = True
        response, body = await site.send("POST", "/Users", json=USER, token=STRICT_TOKEN)

        assert (response.status, body["status"]) == (503, "503")
        assert int(response.headers["Retry-After"]) > 0
        assert response.headers["X-Change-Id"] == "1"
        assert site.directory.answered_changes == []


async def test_a_strict_connection_hears_success_once_tfe_has_said_it(site: Site):
    response, _ = await site.send("POST", "/Users", json=USER, token=STRICT_TOKEN)

    assert response.status == 201


async def test_a_client_that_leaves_while_waiting_is_noted(site: Site):
    site.directory.wait = True
    data = orjson.dumps(USER)
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(
        f"POST /scim/v2/Users HTTP/1.1\r\nHost: r\r\nAuthorization: {TOKEN}\r\n"
        f"Content-Length: {len(data)}\r\n\r\n".encode()
        + data
    )
    await site.directory.waiting.wait()
    writer.close()

    async with asyncio.timeout(5):
        await site.directory.gone.wait()

    assert site.directory.gone_changes == [1]
    assert site.directory.answered_changes == []


async def test_a_full_disk_is_503_with_retry_after(site: Site):
    site.directory.failure = Unavailable("the relay's disk is full", 60)

    response, body = await site.send("POST", "/Users", json=USER)

    assert (response.status, body["detail"]) == (503, "the relay's disk is full")
    assert response.headers["Retry-After"] == "60"


async def test_a_disk_that_hangs_is_503_within_the_deadline():
    async with running(store_deadline_s=0.05, answer_wait_s=0.05) as site:
        site.directory.stuck = asyncio.Event()
        response, body = await site.send("POST", "/Users", json=USER)

    assert (response.status, body["status"]) == (503, "503")
    assert int(response.headers["Retry-After"]) > 0


async def test_a_fault_of_ours_is_a_500_that_tells_nothing(site: Site):
    site.directory.failure = RuntimeError("secret detail")

    response, body = await site.send("POST", "/Users", json=USER)

    assert (response.status, body["status"]) == (500, "500")
    assert "secret" not in body["detail"]
    assert site.metrics.faults == 1


async def test_an_unknown_id_is_asked_of_tfe_while_the_import_runs(site: Site):
    site.upstream.complete = False
    site.upstream.at_target[Kind.USER, "id", "u9"] = lambda: site.directory.add(
        Kind.USER, "u9", schemas=USER["schemas"], userName="u9"
    )
    add_group(site)
    operation = {"op": "Add", "path": "members", "value": [{"value": "u9"}]}

    response, _ = await site.send("PATCH", "/Groups/g1", json=patch(operation))

    assert response.status == 200
    assert site.upstream.fetched == [(Kind.USER, "id", "u9")]


async def test_an_unknown_id_is_404_once_the_import_is_complete(site: Site):
    response, _ = await site.send("PATCH", "/Users/nobody", json=patch(SUSPEND))

    assert response.status == 404
    assert site.upstream.fetched == []


async def test_a_write_to_the_unknown_is_503_while_tfe_cannot_be_asked(site: Site):
    site.upstream.complete = site.upstream.reachable = False

    response, _ = await site.send("PATCH", "/Users/somebody", json=patch(SUSPEND))

    assert (response.status, response.headers["Retry-After"]) == (503, "7")
