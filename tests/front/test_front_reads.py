from __future__ import annotations

import pytest
from support.front_fakes import CONNECTIONS, TOKEN, Site, known, running

from relay.front.settings import Connection
from relay.rules.types import Kind

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"


def fill(site: Site) -> None:
    for number in range(1, 6):
        site.directory.add(
            Kind.USER,
            f"u{number}",
            schemas=[USER_SCHEMA],
            userName=f"User{number}@x.y",
            externalId=f"e{number}",
            title="Boss" if number == 1 else "Clerk",
        )
    site.directory.add(Kind.GROUP, "g1", ("u1", "u2"), schemas=[GROUP_SCHEMA], displayName="eng")


async def test_entra_s_connection_test_gets_an_empty_list(site: Site):
    response, body = await site.send("GET", "/Users?filter=userName+eq+%22no-such%22")

    assert response.status == 200
    assert body == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 0,
        "startIndex": 1,
        "itemsPerPage": 0,
        "Resources": [],
    }


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ('?filter=userName eq "USER2@x.y"', ["u2"]),
        ('?filter=username Eq "user2@x.y"&', ["u2"]),
        ('?filter=externalId eq "e3"', ["u3"]),
        ('?filter=id eq "u4"', ["u4"]),
        ('?filter=title eq "boss"', ["u1"]),
        ('?filter=title eq "clerk" and userName sw "user5"', ["u5"]),
        ('?filter=id eq "u4" and title eq "boss"', []),
        ("?startIndex=2&count=2", ["u2", "u3"]),
        ("?count=0", []),
        ("?", ["u1", "u2", "u3", "u4", "u5"]),
    ],
)
async def test_users_are_found(site: Site, query, ids):
    fill(site)

    response, body = await site.send("GET", "/Users" + query.replace(" ", "%20"))

    assert response.status == 200
    assert [one["id"] for one in body["Resources"]] == ids
    assert body["itemsPerPage"] == len(ids)


async def test_count_zero_gives_the_total(site: Site):
    fill(site)

    _, body = await site.send("GET", "/Users?count=0")

    assert body["totalResults"] == 5


@pytest.mark.parametrize("text", ["userName", "userName eq", "((", 'userName xx "a"', "%FF%FE(",
                                  'userName eq "%5Cud800"'])  # fmt: skip
async def test_a_filter_that_cannot_be_read_is_400(site: Site, text):
    response, body = await site.send("GET", f"/Users?filter={text.replace(' ', '%20')}")

    assert (response.status, body["scimType"]) == (400, "invalidFilter")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", True),
        ("?excludedAttributes=members", False),
        ("?attributes=displayName", False),
        ("?attributes=members", True),
    ],
)
async def test_a_roster_is_read_only_to_be_shown(site: Site, query, shown):
    fill(site)

    _, body = await site.send("GET", f"/Groups/g1{query}")

    assert ("members" in body) is shown
    assert bool(site.directory.roster_reads) is shown


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("", {"value", "$ref", "type"}),
        ("?attributes=members", {"value", "$ref", "type"}),
        ("?attributes=members.display", {"display"}),
        (f"?attributes=members.value,{GROUP_SCHEMA}:members.display", {"value", "display"}),
    ],
)
async def test_the_names_of_members_are_shown_to_who_asks_for_them(site: Site, query, keys):
    fill(site)

    _, body = await site.send("GET", f"/Groups/g1{query}")

    assert [set(member) for member in body["members"]] == [keys, keys]


async def test_a_filter_sees_the_names_of_members(site: Site):
    fill(site)

    _, body = await site.send("GET", '/Groups?filter=members.display%20eq%20"name%20of%20u2"')

    assert [one["id"] for one in body["Resources"]] == ["g1"]


async def test_groups_are_found_by_a_member_though_the_roster_is_not_shown(site: Site):
    fill(site)

    _, body = await site.send(
        "GET", '/Groups?excludedAttributes=members&filter=members.value%20eq%20"u2"'
    )

    assert [one["id"] for one in body["Resources"]] == ["g1"]
    assert "members" not in body["Resources"][0]


async def test_head_is_get_without_a_body(site: Site):
    fill(site)

    response, body = await site.send("HEAD", "/Users/u1")

    assert (response.status, body) == (200, None)


async def test_a_missing_resource_is_404(site: Site):
    response, body = await site.send("GET", "/Users/00919288221112222")

    assert (response.status, body["status"]) == (404, "404")
    assert body["detail"] == "User 00919288221112222 not found"


async def test_the_id_of_a_refused_creation_answers_404_with_tfe_s_words(site: Site):
    site.directory.refusals[Kind.USER, "m1"] = {"status": 422, "detail": "bad address"}

    response, body = await site.send("GET", "/Users/m1")

    assert response.status == 404
    assert "bad address" in body["detail"]


async def test_an_id_that_is_not_utf_8_is_404_and_no_fault(site: Site):
    response, _ = await site.send("GET", "/Users/%FF%00%ED%A0%80")

    assert response.status == 404


async def test_a_search_goes_through_one_type_or_both(site: Site):
    fill(site)

    _, users = await site.send("POST", "/Users/.search", json={"filter": 'title eq "boss"'})
    _, both = await site.send("POST", "/.search", json={"startIndex": 5, "count": 5})
    _, group = await site.send("POST", "/.search", json={"filter": 'displayName eq "eng"'})

    assert [one["id"] for one in users["Resources"]] == ["u1"]
    assert both["totalResults"] == 6
    assert [one["id"] for one in both["Resources"]] == ["u5", "g1"]
    assert [one["id"] for one in group["Resources"]] == ["g1"]


async def test_a_miss_during_the_import_is_asked_of_tfe(site: Site):
    site.upstream.complete = False
    site.upstream.at_target[Kind.USER, "userName", "late@x.y"] = lambda: site.directory.add(
        Kind.USER, "late", schemas=[USER_SCHEMA], userName="late@x.y"
    )

    _, found = await site.send("GET", '/Users?filter=userName%20eq%20"late@x.y"')
    _, missing = await site.send("GET", '/Users?filter=userName%20eq%20"never@x.y"')
    by_id, _ = await site.send("GET", "/Users/late")

    assert found["totalResults"] == 1
    assert missing["totalResults"] == 0
    assert by_id.status == 200
    assert len(site.upstream.fetched) == 2


@pytest.mark.parametrize(
    "path", ['/Users?filter=userName%20eq%20"a"', "/Users/a", "/Users", "/Users?filter=title%20pr"]
)
async def test_what_cannot_be_known_during_the_import_is_503_never_not_found(site: Site, path):
    site.upstream.complete = site.upstream.reachable = False

    response, body = await site.send("GET", path)

    assert (response.status, body["status"]) == (503, "503")
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "path",
    [
        "/ServiceProviderConfig",
        "/ServiceProviderConfigs",
        "/ResourceTypes",
        "/ResourceTypes/User",
        "/Schemas",
        f"/Schemas/{GROUP_SCHEMA}",
    ],
)
async def test_discovery_is_answered_even_while_nothing_else_is(site: Site, path):
    site.upstream.reason = "no token yet"

    response, body = await site.send("GET", path)

    assert response.status == 200
    assert body["schemas"]


async def test_authentik_reads_its_chunk_size(site: Site):
    _, body = await site.send("GET", "/ServiceProviderConfig")

    assert body["patch"]["supported"] is True
    assert body["bulk"]["maxOperations"] == 100


@pytest.mark.parametrize(
    ("path", "status"),
    [("/Schemas/nope", 404), ("/ResourceTypes/Me", 404), ("/Schemas?filter=a", 403)],
)
async def test_discovery_knows_what_it_has_not(site: Site, path, status):
    response, body = await site.send("GET", path)

    assert (response.status, body["status"]) == (status, str(status))


async def test_locations_use_the_public_url_if_there_is_one():
    async with running(public_url="https://scim.example.com/") as site:
        fill(site)
        _, body = await site.send("GET", "/Users/u1")

    assert body["meta"]["location"] == "https://scim.example.com/scim/v2/Users/u1"


async def test_a_host_that_is_none_is_not_quoted(site: Site):
    fill(site)

    _, body = await site.send("GET", "/Users/u1", headers={"Host": 'evil"/<script>'})

    assert body["meta"]["location"] == "http://localhost/scim/v2/Users/u1"


async def test_a_password_is_declared_to_the_connection_that_cannot_do_without_and_to_no_other():
    canaille = Connection("canaille", (known("c-token"),), declare_password=True)
    async with running(connections=(*CONNECTIONS, canaille)) as site:
        answers = [
            await site.send("GET", f"/Schemas/{USER_SCHEMA}", token=token)
            for token in (TOKEN, "c-token", TOKEN)
        ]

    declared = [
        "password" in {attribute["name"] for attribute in body["attributes"]} for _, body in answers
    ]
    assert declared == [False, True, False]


async def test_many_hosts_do_not_fill_the_memory(site: Site):
    for number in range(40):
        await site.send("GET", "/Schemas", headers={"Host": f"h{number}"})

    assert len(site.front._documents._by_client) <= 16


async def test_an_error_repeats_no_endless_id(site):
    response, body = await site.send("GET", f"/Users/{'a' * 5000}")

    assert response.status == 404
    assert len(body["detail"]) < 200


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("?sortBy=userName&sortOrder=descending&count=2", ["u5", "u4"]),
        ("?sortBy=title&startIndex=2&count=2", ["u2", "u3"]),
        (
            '?sortBy=externalId&sortOrder=DESCENDING&filter=title eq "clerk"',
            ["u5", "u4", "u3", "u2"],
        ),
        ("?sortBy=nonsense&count=2", ["u1", "u2"]),
    ],
)
async def test_users_are_sorted(site: Site, query, ids):
    fill(site)

    response, body = await site.send("GET", "/Users" + query.replace(" ", "%20"))

    assert response.status == 200
    assert [one["id"] for one in body["Resources"]] == ids


async def test_a_search_is_sorted_and_its_groups_have_their_rosters(site: Site):
    fill(site)
    site.directory.add(Kind.GROUP, "g2", ("u3",), schemas=[GROUP_SCHEMA], displayName="Dev")

    _, body = await site.send("POST", "/Groups/.search", json={"sortBy": "displayName"})

    found = [(one["displayName"], len(one["members"])) for one in body["Resources"]]
    assert found == [("Dev", 1), ("eng", 2)]
