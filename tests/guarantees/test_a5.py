"""A5: the IdP reads its own writes: GET and filter show what was accepted before TFE has it."""

import pytest
from support.idp import add, deactivate, group, remove, user
from support.relays import relay_for


@pytest.fixture
async def idp(unlimited, tmp_path):
    """An IdP whose TFE is paused: nothing that it writes is delivered."""
    async with relay_for(unlimited, tmp_path, answer={"wait": "0s"}) as relay:
        unlimited.pause()
        yield relay.idp
        assert not unlimited.directory.users


async def test_a_user_is_found_by_every_key_before_it_is_delivered_and_is_not_created_again(idp):
    made = await idp.post("/Users", user("Ada@example.com", externalId="e-1"))
    ident = made.body["id"]
    for query in ('userName eq "ada@EXAMPLE.com"', 'externalId eq "e-1"', f'id eq "{ident}"'):
        found = await idp.find("Users", query)
        assert [one["id"] for one in found.body["Resources"]] == [ident], query
    assert (await idp.get(f"/Users/{ident}")).body["externalId"] == "e-1"
    assert (await idp.post("/Users", user("ada@example.com"))).status == 409


async def test_an_edit_is_read_back_at_once(idp):
    made = await idp.post("/Users", user("ada@example.com"))
    await idp.patch(f"/Users/{made.body['id']}", deactivate())
    assert (await idp.get(f"/Users/{made.body['id']}")).body["active"] is False
    gone = await idp.delete(f"/Users/{made.body['id']}")
    assert gone.status == 204
    assert (await idp.get(f"/Users/{made.body['id']}")).status == 404
    assert (await idp.find("Users", 'userName eq "ada@example.com"')).body["totalResults"] == 0


async def test_a_roster_is_read_back_at_once(idp):
    ids = [(await idp.post("/Users", user(f"{n}@example.com"))).body["id"] for n in "abc"]
    crew = (await idp.post("/Groups", group("Crew", *ids[:2]))).body["id"]
    await idp.patch(f"/Groups/{crew}", add(ids[2]))
    await idp.patch(f"/Groups/{crew}", remove(ids[0]))
    read = (await idp.get(f"/Groups/{crew}")).body["members"]
    assert {one["value"] for one in read} == set(ids[1:])
