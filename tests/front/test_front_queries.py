from __future__ import annotations

from urllib.parse import quote

import pytest

from relay.errors import Refused
from relay.front.queries import Query, from_search, from_url
from relay.rules.types import Kind


@pytest.mark.parametrize(
    ("raw", "start", "count"),
    [
        ("", 1, 100),
        ("&", 1, 100),
        ("startIndex=3&count=7", 3, 7),
        ("startindex=3&COUNT=7", 3, 7),
        ("startIndex=0", 1, 100),
        ("startIndex=-5", 1, 100),
        ("startIndex=abc&count=xyz", 1, 100),
        ("startIndex=&count=", 1, 100),
        ("count=1000", 1, 200),
        ("count=0", 1, 0),
        ("count=-1", 1, 200),
        ("count=-2", 1, 0),
        ("count=1e5&startIndex=1.5", 1, 100),
        ("count=%2B5", 1, 5),
        ("startIndex=99999999999999999999", 2**31 - 1, 100),
        ("startIndex=" + "9" * 5000, 1, 100),
        ("aadOptscim062020&count=2", 1, 2),
        ("count=5&", 1, 5),
        ("%FF=%FE&count=5", 1, 5),
    ],
)
def test_paging_survives_whatever_senders_write(raw, start, count):
    query = from_url(raw, 200)

    assert (start, count) == (query.start, query.count)


@pytest.mark.parametrize(
    "raw",
    [
        "filter=userName+eq+%22a%40b.c%22&",
        "filter=userName%20eq%20%22a@b.c%22",
        'FILTER=userName eq "a@b.c"',
    ],
)
def test_a_filter_is_decoded(raw):
    assert from_url(raw, 200).filter == 'userName eq "a@b.c"'


def test_an_empty_filter_is_none():
    assert from_url("filter=&count=1", 200).filter is None


def test_bytes_that_are_not_utf_8_can_still_be_quoted_in_an_answer():
    text = from_url("filter=userName+eq+\udcff", 200).filter

    assert text is not None
    assert text.encode() == "userName eq \ufffd".encode()


def test_too_many_parameters_are_refused():
    with pytest.raises(Refused) as refusal:
        from_url("&".join(f"p{number}=1" for number in range(200)), 200)

    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("attributes", "excluded", "wanted"),
    [
        ((), (), True),
        ((), ("members",), False),
        ((), ("MEMBERS",), False),
        ((), ("urn:ietf:params:scim:schemas:core:2.0:Group:members",), False),
        ((), ("displayName",), True),
        (("displayName",), (), False),
        (("members",), (), True),
        (("members.value",), (), True),
        (("urn:ietf:params:scim:schemas:core:2.0:Group:members",), (), True),
        (("membership",), (), False),
    ],
)
def test_a_roster_is_read_only_if_the_answer_shows_it(attributes, excluded, wanted):
    assert Query(attributes=attributes, excluded=excluded).wants_members(Kind.GROUP) is wanted


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('emails[type eq "work"]', ("emails",)),
        ('emails[type eq "a,b"].value, userName', ("emails.value", "userName")),
        ("emails[", ("emails[",)),
    ],
)
def test_a_filter_behind_a_wanted_attribute_selects_the_whole_attribute(text, names):
    assert from_url(f"attributes={quote(text)}", 200).attributes == names


def test_a_filter_behind_an_excluded_attribute_excludes_nothing_more():
    assert from_url("excludedAttributes=emails[value pr]", 200).excluded == ("emails[value pr]",)


def test_a_search_body_is_read_like_an_url():
    body = {"filter": "title pr", "startIndex": "2", "count": 3, "attributes": ["a", "b,c", 7]}

    query = from_search(body, 200)

    assert query == Query("title pr", 2, 3, ("a", "b", "c"), ())


@pytest.mark.parametrize("value", [True, None, 1.5, [], {}])
def test_a_search_with_junk_numbers_gets_the_defaults(value):
    query = from_search({"count": value, "startIndex": value}, 200)

    assert (query.start, query.count) == (1, 100)


def test_a_search_filter_that_is_no_text_is_refused():
    with pytest.raises(Refused) as refusal:
        from_search({"filter": ["x"]}, 200)

    assert (refusal.value.status, refusal.value.scim_type) == (400, "invalidFilter")
