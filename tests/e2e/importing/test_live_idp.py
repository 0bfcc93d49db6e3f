"""An identity provider that writes while the import runs takes nobody's access away (K6)."""

from support.idp import add, deactivate
from support.relays import relay_for, until

from relay.simulator.faults import Fault, FaultKind, Match
from relay.simulator.seed import sow


async def test_members_that_were_not_read_yet_stay_in_the_group(unlimited, tmp_path):
    people = sow(unlimited.directory, {"users": 450})["users"]
    crew = {"displayName": "Crew", "members": people[:3]}
    [group] = sow(unlimited.directory, {"groups": [crew]})["groups"]
    held = unlimited.faults.add(
        Fault(kind=FaultKind.SLOW_BEFORE, delay_s=None), Match(path="^/Users$", count=None)
    )
    unlimited.pause()
    async with relay_for(unlimited, tmp_path, target={"rate": 100}) as relay:
        unlimited.resume()
        await until(lambda: relay.parts.importer.token_accepted and held.seen >= 1)
        joined = await relay.idp.patch(f"/Groups/{group}", add(people[9]))
        assert joined.status in (200, 204)
        assert (await relay.idp.patch(f"/Users/{people[8]}", deactivate())).status == 200
        held.release()
        unlimited.faults.clear()
        await relay.imported()
        await relay.settled()

        assert set(unlimited.directory.group(group).fields.members) == {*people[:3], people[9]}
        members = (await relay.idp.get(f"/Groups/{group}")).body["members"]
        assert {one["value"] for one in members} == {*people[:3], people[9]}
        assert unlimited.directory.user(people[8]).fields.active is False
        left = await relay.store.run(lambda tx: tx.all("SELECT * FROM effect"))
        assert left == []
