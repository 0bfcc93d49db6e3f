"""The list of SCIM groups: parts of names, pages, totals."""

from __future__ import annotations

import pytest

from relay.simulator.seed import sow


@pytest.fixture
def groups(tfe):
    """25 of them, `Group-00` to `Group-24`."""
    sow(tfe.directory, {"groups": [{"displayName": f"Group-{n:02}"} for n in range(25)]})


async def test_a_group_is_shown_with_its_id_and_name_only(admin, call):
    ident = await call.group("crew")
    answer = await admin("GET", "admin/scim-groups")

    assert answer.json["data"] == [
        {"id": ident, "type": "scim-groups", "attributes": {"name": "crew"}}
    ]


@pytest.mark.parametrize(
    ("part", "found"),
    [("group-1", 10), ("GROUP-", 25), ("-07", 1), ("p-24", 1), ("nothing", 0), ("", 25)],
)
async def test_q_is_part_of_a_name_whatever_its_capitals(admin, groups, part, found):
    answer = await admin("GET", "admin/scim-groups", q=part, **{"page[size]": 100})

    assert len(answer.json["data"]) == found
    assert answer.json["meta"]["pagination"]["total-count"] == found


@pytest.mark.parametrize(
    ("query", "shown", "pagination"),
    [
        ({}, 20, (1, 20, None, 2, 2)),
        ({"page[number]": 2}, 5, (2, 20, 1, None, 2)),
        ({"page[number]": 2, "page[size]": 10}, 10, (2, 10, 1, 3, 3)),
        ({"page[number]": 9, "page[size]": 10}, 0, (9, 10, None, None, 3)),
        ({"page[size]": 1000}, 25, (1, 100, None, None, 1)),
        ({"page[number]": "x", "page[size]": 0}, 1, (1, 1, None, 2, 25)),
    ],
)
async def test_pages_say_where_they_are_and_past_the_end_they_are_empty(
    admin, groups, query, shown, pagination
):
    answer = await admin("GET", "admin/scim-groups", **query)

    keys = ("current-page", "page-size", "prev-page", "next-page", "total-pages")
    meta = answer.json["meta"]["pagination"]
    assert len(answer.json["data"]) == shown
    assert tuple(meta[key] for key in keys) == pagination
    assert meta["total-count"] == 25


async def test_links_lead_from_page_to_page(admin, groups):
    first = await admin("GET", "admin/scim-groups", q="group")

    assert first.json["links"]["prev"] is None
    assert first.json["links"]["next"] == (
        "/api/v2/admin/scim-groups?q=group&page%5Bnumber%5D=2&page%5Bsize%5D=20"
    )
    assert first.json["links"]["last"] == first.json["links"]["next"]


async def test_the_list_is_for_reading(admin):
    assert (await admin("POST", "admin/scim-groups", {"name": "x"})).status == 404
