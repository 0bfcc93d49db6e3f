"""L5: one row that cannot be decoded stops its own lane; the others go on.

What such a lane rests on, and how it recovers: `tests/store/test_faults_of_ours.py`.
"""

import pytest
from support.idp import user
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind
from relay.store.file.engine import open_plain

DAMAGE = {
    "the writes of a change": "UPDATE change SET writes = '{' WHERE resource = ?",
    "the shadow of a resource": "UPDATE resource SET shadow = x'ff' WHERE id = ?",
    "the base of an effect": "UPDATE effect SET base = '{' WHERE resource = ?",
}


async def create(world, name):
    write = dialect.parse_create(Kind.USER, user(name))
    return await world.store.directory.accept("idp", write, None)


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_row_stops_its_lane_alone(statement, tmp_path):
    async def main():
        world = World(tmp_path / "relay.db")
        await world.start()
        world.tfe.pause()
        for number in range(10):
            await create(world, f"user{number}@example.com")
        await world.pass_time(5)
        await world.stop()
        file = open_plain(tmp_path / "relay.db")
        assert file.execute(statement, (4,)).rowcount == 1
        file.close()

        world.tfe.resume()
        await world.start()
        await create(world, "later@example.com")
        await world.pass_time(120)
        names = {one.fields.user_name for one in world.tfe.directory.users}
        others = {f"user{number}@example.com" for number in range(10) if number != 3}
        assert names >= {*others, "later@example.com"}
        await world.stop()

    run_virtually(main)
