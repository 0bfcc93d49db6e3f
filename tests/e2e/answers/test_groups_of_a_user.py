"""The groups of a user are returned on request (RFC 7643 section 4.1.2, decision 14)."""

from support.idp import add
from support.relays import relay_for

AT_ONCE = {"wait": "0s"}
FAST = {"rate": 100}


async def groups_of(relay, user, query="?attributes=groups"):
    body = (await relay.idp.get(f"/Users/{user}{query}")).body
    return [(one["display"], one["type"]) for one in body["groups"]] if "groups" in body else None


async def test_a_user_shows_its_groups_where_they_are_asked_for_and_else_not(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer=AT_ONCE) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        crew = await relay.idp.create_group("Crew", ada)
        await relay.idp.create_group("Others")

        assert await groups_of(relay, ada, "") is None
        assert await groups_of(relay, ada) == [("Crew", "direct")]
        [shown] = (await relay.idp.get("/Users?attributes=userName,groups.value")).body["Resources"]
        assert shown["groups"] == [{"value": crew}]
        address = (await relay.idp.get(f"/Users/{ada}?attributes=groups")).body["groups"][0]["$ref"]
        assert address.endswith(f"/Groups/{crew}")

        await relay.idp.delete(f"/Groups/{crew}")
        assert await groups_of(relay, ada) == []


async def test_users_are_found_by_their_groups(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer=AT_ONCE) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        await relay.idp.create_user("bob@example.com")
        crew = await relay.idp.create_group("Crew", ada)
        for condition in (f'groups.value eq "{crew}"', 'groups.display sw "cr"', "groups pr"):
            found = (await relay.idp.find("Users", condition)).body
            assert [one["id"] for one in found["Resources"]] == [ada], condition
            assert "groups" not in found["Resources"][0]


async def test_a_group_through_another_is_indirect(unlimited, tmp_path):
    nested = {"nested": "flatten"}
    async with relay_for(unlimited, tmp_path, target=FAST, answer=AT_ONCE, groups=nested) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        inner = await relay.idp.create_group("Inner", ada)
        outer = await relay.idp.create_group("Outer")
        await relay.idp.patch(f"/Groups/{outer}", add(inner))

        assert await groups_of(relay, ada) == [("Inner", "direct"), ("Outer", "indirect")]
