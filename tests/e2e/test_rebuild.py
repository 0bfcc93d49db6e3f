"""A TFE that was wiped is made to match the directory, and no identity provider notices."""

from support.idp import add, deactivate
from support.relays import relay_for, typed, until

REASON = ("--reason", "SCIM was disabled and enabled again")


async def test_after_a_wipe_everything_is_there_again_and_every_id_works(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target={"rate": 100}, answer={"wait": "0s"}) as relay:
        people = [await relay.idp.create_user(f"user{number}@x.org") for number in range(30)]
        crews = [
            await relay.idp.create_group(f"Crew {number}", *people[number : number + 10])
            for number in range(5)
        ]
        await relay.settled()
        code, shown = await typed(tmp_path, "rebuild", *REASON)
        assert (code, "foreign does not stand" in shown) == (1, True)
        unlimited.wipe()
        await relay.idp.patch(f"/Users/{people[0]}", deactivate())
        await relay.held("foreign")
        late = await relay.idp.create_user("late@x.org")
        await relay.idp.patch(f"/Groups/{crews[0]}", add(late))

        code, shown = await typed(tmp_path, "rebuild", "--dry-run")
        assert (code, "User: 30" in shown, "Group: 5" in shown) == (0, True, True)
        assert list(unlimited.directory.users) == []
        code, shown = await typed(tmp_path, "rebuild")
        assert (code, "--reason" in shown) == (2, True)
        since = len(unlimited.log.entries())
        code, shown = await typed(tmp_path, "rebuild", *REASON)
        assert (code, "done: true" in shown) == (0, True), shown
        await relay.settled()

        def complete():
            rosters = [len(one.fields.members) for one in unlimited.directory.groups]
            return sorted(rosters) == [10, 10, 10, 10, 11]

        await until(complete, 8)
        assert len(list(unlimited.directory.users)) == 31
        assert unlimited.directory.users.named("user0@x.org")[0].fields.active is False
        writes = [one for one in unlimited.log.entries()[since:] if one.method != "GET"]
        assert len(writes) == 31 + 5
        for ident in (*people, late):
            assert (await relay.idp.get(f"/Users/{ident}")).status == 200
        await relay.idp.patch(f"/Users/{people[7]}", deactivate())
        await relay.settled()
        assert unlimited.directory.users.named("user7@x.org")[0].fields.active is False
        assert (await relay.counters())["parked"] == 0
