"""An id once given out is valid for ever, the relay's own as well as TFE's."""

import pytest
from support.idp import add
from support.relays import relay_for

FAST = {"rate": 100}
AT_ONCE = {"wait": "0s"}


async def minted(relay, name):
    """A user whose creation the directory answered: the relay's id and TFE's."""
    own = await relay.idp.create_user(name)
    await relay.settled()
    bound = await relay.target_id(own)
    assert bound not in (None, own)
    return own, bound


async def test_both_ids_of_a_user_are_good_in_paths_and_filters(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer=AT_ONCE) as relay:
        own, bound = await minted(relay, "ada@example.com")
        for ident in (own, bound):
            found = await relay.idp.get(f"/Users/{ident}")
            assert (found.status, found.body["id"]) == (200, own)
            listed = await relay.idp.find("Users", f'id eq "{ident}"')
            assert [one["id"] for one in listed.body["Resources"]] == [own]


async def test_both_ids_of_a_user_are_good_as_members_and_in_value_paths(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer=AT_ONCE) as relay:
        own, bound = await minted(relay, "ada@example.com")
        crew = await relay.idp.create_group("Crew", bound)
        await relay.settled()
        [member] = (await relay.idp.get(f"/Groups/{crew}")).body["members"]
        assert member["value"] == own
        for ident in (own, bound):
            listed = await relay.idp.find("Groups", f'members.value eq "{ident}"')
            assert [one["id"] for one in listed.body["Resources"]] == [crew]
            await relay.idp.patch(
                f"/Groups/{crew}", {"op": "remove", "path": f'members[value eq "{ident}"]'}
            )
            assert (await relay.idp.get(f"/Groups/{crew}")).body.get("members", []) == []
            await relay.idp.patch(f"/Groups/{crew}", add(ident))
        await relay.settled()
        [group] = unlimited.directory.groups
        assert set(group.fields.members) == {bound}


async def test_the_ids_outlive_a_restart_and_reach_tfe_as_its_own(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer=AT_ONCE) as relay:
        own, bound = await minted(relay, "ada@example.com")
    async with relay_for(unlimited, tmp_path, target=FAST, answer=AT_ONCE) as relay:
        unlimited.log.clear()
        reply = await relay.idp.patch(
            f"/Users/{own}", {"op": "replace", "value": {"externalId": "e-1"}}
        )
        assert (reply.status, reply.body["id"]) == (200, own)
        await relay.settled()
        assert f"/Users/{bound}" in {entry.path for entry in unlimited.log.entries()}


async def test_when_tfe_answers_in_time_its_id_is_the_resources_id(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        reply = await relay.idp.post("/Users", {"userName": "ada@example.com"})
        [user] = unlimited.directory.users
        assert reply.body["id"] == user.stamp.id
        assert reply.headers["Location"].endswith(f"/scim/v2/Users/{user.stamp.id}")


async def test_the_answers_are_the_shadow_copy_with_what_tfe_does_not_keep(unlimited, tmp_path):
    body = {
        "userName": "ada@example.com",
        "displayName": "Ada Lovelace",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "title": "Countess",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Engines"},
    }
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        created = await relay.idp.post("/Users", body)
        read = await relay.idp.get(f"/Users/{created.body['id']}")
        for answer in (created.body, read.body):
            assert {name: answer[name] for name in body} == body
        assert read.body["meta"]["resourceType"] == "User"
        [sent] = [one for one in unlimited.log.entries() if one.method == "POST"]
        assert "Countess" not in str(sent.body)


async def test_each_answer_names_its_change_and_each_request_its_attempt(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        reply = await relay.idp.post("/Users", {"userName": "ada@example.com"})
        change = int(reply.headers["X-Change-Id"])
        found = await relay.store.change(change)
        [attempt] = found["attempts"]
        [sent] = [one for one in unlimited.log.entries() if one.method == "POST"]
        assert sent.request_id == str(attempt["id"])


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "DELETE", "GET"])
async def test_an_id_nobody_gave_out_is_404(unlimited, tmp_path, verb):
    body = {
        "PUT": {"userName": "ada@example.com"},
        "PATCH": {"Operations": [{"op": "replace", "value": {"active": False}}]},
    }.get(verb)
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        reply = await relay.idp.call(verb, "/Users/nobody", body)
        assert reply.status == 404
        assert reply.body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert "nobody" in reply.body["detail"]
