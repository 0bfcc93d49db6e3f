"""Reads against a small honest server, and against one that ignores filters (K4)."""

from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from relay.rules.types import Kind
from relay.rules.verdict import Outcome
from relay.target import ReadFailed, Reads

ADA = {"id": "u1", "userName": "Ada", "externalId": "E1"}
CREW = {"id": "g1", "displayName": "Crew", "members": [{"value": "u1"}]}


@pytest.fixture
def reads(client):
    """Reads of a server that answers each path from a table; queries are noted."""

    @asynccontextmanager
    async def start(answers):
        asked = []

        async def answer(request):
            asked.append((request.path, dict(request.query)))
            status, body = answers[request.path]
            return web.json_response(body, status=status)

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        async with (
            TestServer(app, host="127.0.0.1") as server,
            client(str(server.make_url("")).rstrip("/")) as target,
        ):
            yield Reads(target), asked

    return start


def listed(*resources):
    return 200, {"totalResults": len(resources), "Resources": list(resources)}


async def test_a_page_has_its_total_and_its_resources(reads):
    async with reads({"/Users": (200, {"totalResults": 7, "Resources": [ADA, "junk"]})}) as (
        it,
        asked,
    ):
        page = await it.get_page(Kind.USER, 201, 200, "a")

    assert (page.total, page.resources) == (7, (ADA,))
    assert asked == [("/Users", {"startIndex": "201", "count": "200"})]


async def test_rosters_are_spared_when_not_wanted(reads):
    async with reads({"/Groups": listed(CREW), "/Groups/g1": (200, CREW)}) as (it, asked):
        await it.get_page(Kind.GROUP, 1, 5, "a", members=False)
        await it.get_page(Kind.GROUP, 1, 5, "a")
        await it.get(Kind.GROUP, "g1", "a", members=False)
        await it.find(Kind.GROUP, "displayName", "crew", "a", members=False)

    assert [query.get("excludedAttributes") for _, query in asked] == [
        "members",
        None,
        "members",
        "members",
    ]


async def test_a_list_without_resources_is_empty(reads):
    async with reads({"/Users": (200, {"totalResults": 0})}) as (it, _):
        assert (await it.get_page(Kind.USER, 1, 100, "a")).resources == ()


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("userName", "ada", ADA),
        ("userName", "bob", None),
        ("externalId", "E1", ADA),
        ("externalId", "e1", None),
    ],
)
async def test_what_is_found_was_compared_since_a_filter_may_be_ignored(reads, key, value, found):
    others = {"id": "u0"}, {"id": "u9", "userName": None, "externalId": 5}
    async with reads({"/Users": listed(*others, ADA)}) as (it, _):
        assert await it.find(Kind.USER, key, value, "a") == found


async def test_a_value_is_quoted_in_its_filter(reads):
    async with reads({"/Users": listed()}) as (it, asked):
        await it.find(Kind.USER, "userName", 'a"b\\c é&d', "a")

    assert asked[0][1] == {"filter": 'userName eq "a\\"b\\\\c é&d"'}


async def test_one_resource_by_id(reads):
    async with reads({"/Users/u1": (200, ADA), "/Users/u2": (404, {})}) as (it, _):
        assert await it.get(Kind.USER, "u1", "a") == ADA
        assert await it.get(Kind.USER, "u2", "a") is None


async def test_an_answer_about_another_resource_is_not_believed(reads):
    async with reads({"/Users/u2": (200, ADA)}) as (it, _):
        with pytest.raises(ReadFailed) as caught:
            await it.get(Kind.USER, "u2", "a")

    assert caught.value.verdict.outcome is Outcome.DOWN


async def test_the_probe_asks_for_no_user_at_all(reads):
    async with reads({"/Users": (200, {"totalResults": 42, "Resources": []})}) as (it, asked):
        assert await it.probe("a") == 42

    assert asked == [("/Users", {"count": "0"})]


async def test_discovery_is_the_service_provider_config(reads):
    async with reads({"/ServiceProviderConfig": (200, {"patch": {"supported": True}})}) as (it, _):
        assert await it.discovery("a") == {"patch": {"supported": True}}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (401, Outcome.TOKEN),
        (403, Outcome.PAUSED),
        (404, Outcome.MISSING),
        (429, Outcome.THROTTLED),
        (500, Outcome.FAILED),
        (502, Outcome.DOWN),
    ],
)
async def test_a_read_that_fails_carries_its_verdict(reads, status, outcome):
    answers = {"/Users": (status, {"detail": "no"}), "/Users/u1": (status, {"detail": "no"})}
    async with reads(answers) as (it, _):
        with pytest.raises(ReadFailed, match="no") as caught:
            await it.probe("a")
        if status != 404:
            with pytest.raises(ReadFailed):
                await it.get(Kind.USER, "u1", "a")

    assert caught.value.verdict.outcome is outcome
    assert not caught.value.verdict.ambiguous


@pytest.mark.parametrize(
    "body", [[], None, {}, {"totalResults": "7"}, {"totalResults": 1, "Resources": {}}]
)
async def test_a_success_that_is_no_list_is_charged_to_the_target(reads, body):
    async with reads({"/Users": (200, body)}) as (it, _):
        with pytest.raises(ReadFailed) as caught:
            await it.get_page(Kind.USER, 1, 1, "a")

    assert caught.value.verdict.outcome is Outcome.DOWN


async def test_a_read_of_a_target_that_is_gone_fails_without_doubt(client):
    async with client("http://127.0.0.1:1") as target:
        with pytest.raises(ReadFailed) as caught:
            await Reads(target).probe("a")

    assert caught.value.verdict.outcome is Outcome.DOWN
