"""SCIM tokens through the admin API: made, listed, ended."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

DAY_S = 86_400


def at(clock, seconds):
    return datetime.fromtimestamp(clock.wall() + seconds, UTC).isoformat().replace("+00:00", "Z")


def instant(text):
    return datetime.fromisoformat(text).timestamp()


async def test_a_new_token_is_shown_once_and_works(admin, call):
    made = await admin("POST", "admin/scim-tokens", {"description": "Okta"})
    ident = made.json["data"]["id"]
    shown = await admin("GET", f"admin/scim-tokens/{ident}")
    listed = await admin("GET", "admin/scim-tokens")

    assert (made.status, made.json["data"]["type"]) == (201, "authentication-tokens")
    assert (await call("GET", "/Users", token=made.attributes["token"])).status == 200
    assert shown.attributes["token"] is None
    assert shown.attributes["description"] == "Okta"
    assert [one["id"] for one in listed.json["data"]][1:] == [ident]
    assert {one["attributes"]["token"] for one in listed.json["data"]} == {None}


async def test_a_token_without_an_end_ends_after_a_year(admin, clock):
    made = (await admin("POST", "admin/scim-tokens", {})).attributes

    assert instant(made["created-at"]) == clock.wall()
    assert instant(made["expired-at"]) == clock.wall() + 365 * DAY_S
    assert made["description"] is None


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        (20 * DAY_S, 400),
        (29 * DAY_S - 10, 400),
        (29 * DAY_S + 10, 201),
        (365 * DAY_S, 201),
        (400 * DAY_S, 400),
        (-1, 400),
    ],
)
async def test_a_lifetime_is_29_to_365_days(admin, clock, seconds, status):
    answer = await admin("POST", "admin/scim-tokens", {"expired-at": at(clock, seconds)})

    assert answer.status == status


@pytest.mark.parametrize("wrong", ["tomorrow", "2027-13-01T00:00:00Z"])
async def test_an_end_that_is_no_date_is_a_400(admin, wrong):
    assert (await admin("POST", "admin/scim-tokens", {"expired-at": wrong})).status == 400


@pytest.mark.parametrize("path", ["admin/scim-tokens", "authentication-tokens"])
async def test_both_ways_to_delete_a_token_end_it(admin, call, path):
    made = (await admin("POST", "admin/scim-tokens", {})).json["data"]
    deleted = await admin("DELETE", f"{path}/{made['id']}")
    again = await admin("DELETE", f"{path}/{made['id']}")
    shown = await admin("GET", f"admin/scim-tokens/{made['id']}")

    assert (deleted.status, deleted.reply.body) == (204, b"")
    assert (again.status, shown.status) == (404, 404)
    assert (await call("GET", "/Users", token=made["attributes"]["token"])).status == 401


async def test_last_used_moves_once_a_minute(admin, call, clock, tfe):
    ident = tfe.access.tokens()[0].id

    async def last_used():
        shown = (await admin("GET", f"admin/scim-tokens/{ident}")).attributes["last-used-at"]
        return None if shown is None else instant(shown) - start

    start = clock.wall()
    seen = [await last_used()]
    for seconds in (0, 59, 1):
        clock.turn(seconds)
        await call("GET", "/Users")
        seen.append(await last_used())

    assert seen == [None, 0, 0, 60]


async def test_a_refused_token_was_not_used(admin, call, clock, tfe):
    token = tfe.access.tokens()[0]
    tfe.access.expire(token.secret)
    await call("GET", "/Users", token=token.secret)

    shown = await admin("GET", f"admin/scim-tokens/{token.id}")

    assert shown.attributes["last-used-at"] is None


async def test_an_ended_token_leaves_the_list_and_can_still_be_shown(admin, clock, tfe):
    token = tfe.access.tokens()[0]
    tfe.access.expire(token.secret, 10 * DAY_S)
    before = await admin("GET", "admin/scim-tokens")
    clock.turn(10 * DAY_S)
    after = await admin("GET", "admin/scim-tokens")

    assert [one["id"] for one in before.json["data"]] == [token.id]
    assert after.json["data"] == []
    assert (await admin("GET", f"admin/scim-tokens/{token.id}")).status == 200
