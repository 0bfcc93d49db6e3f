"""Documents of the admin API that TFE does not send are refused, with what is wrong."""

from __future__ import annotations

import pytest

from relay.target.admin import facts

TOKEN = {
    "id": "at-1",
    "type": "authentication-tokens",
    "attributes": {
        "description": None,
        "created-at": "2026-01-15T10:30:00Z",
        "expired-at": "2027-01-15T10:30:00",
        "last-used-at": None,
    },
}


def with_attributes(**changes):
    return {**TOKEN, "attributes": {**TOKEN["attributes"], **changes}}


def test_a_time_without_a_zone_is_utc():
    token = facts.scim_token(TOKEN)

    assert token.expires - token.created == 365 * 86_400


@pytest.mark.parametrize(
    ("resource", "wrong"),
    [
        ({}, "authentication-tokens"),
        ({**TOKEN, "type": "tokens"}, "authentication-tokens"),
        ({**TOKEN, "attributes": []}, "authentication-tokens"),
        ({**TOKEN, "id": 5}, "id is of another type"),
        (with_attributes(**{"expired-at": None}), "expired-at is missing"),
        (with_attributes(**{"expired-at": "soon"}), "soon"),
        (with_attributes(description=5), "description is of another type"),
    ],
)
def test_what_is_no_token_is_refused(resource, wrong):
    with pytest.raises(ValueError, match=wrong):
        facts.scim_token(resource)


def test_a_linked_team_without_its_group_s_name_is_refused():
    attributes = {"name": "crew", "scim-linked": True, "scim-group-name": None}

    with pytest.raises(ValueError, match="scim-group-name"):
        facts.team({"id": "team-1", "type": "teams", "attributes": attributes})


@pytest.mark.parametrize("document", [None, [], "x", {}, {"data": None}, {"data": []}])
def test_no_resource_is_refused(document):
    with pytest.raises(ValueError, match="no resource"):
        facts.resource_of(document)


@pytest.mark.parametrize("document", [None, {"data": {}}, {"errors": []}])
def test_no_list_is_refused(document):
    with pytest.raises(ValueError, match="no list"):
        facts.page_of(document)


@pytest.mark.parametrize("meta", [{}, {"pagination": None}, {"pagination": {"next-page": None}}])
def test_a_list_without_a_next_page_ends(meta):
    assert facts.page_of({"data": [{"id": "1"}, 5], "meta": meta}) == ([{"id": "1"}], None)
