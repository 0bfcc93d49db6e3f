"""A3: the transaction of the answer holds all that delivery needs: a crash right after loses nothing."""

from support.idp import add, group, patch_body, user
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind, Verb, Write


async def accept(world, write, identifier=None):
    accepted = await world.store.directory.accept("idp", write, identifier)
    world.store.directory.answered(accepted.change)
    return accepted


async def crash(world):
    """Everything in memory is gone before delivery has seen any of it."""
    await world.crash()
    await world.start()


def test_what_was_answered_a_moment_before_a_crash_is_delivered_from_the_file_alone(tmp_path):
    async def main():
        world = World(tmp_path / "relay.db")
        await world.start()
        ada = await accept(world, dialect.parse_create(Kind.USER, user("ada@example.com")))
        await crash(world)
        bob = await accept(world, dialect.parse_create(Kind.USER, user("bob@example.com")))
        await crash(world)
        ids = [one.resource.public_id for one in (ada, bob)]
        crew = await accept(world, dialect.parse_create(Kind.GROUP, group("Crew", ids[0])))
        await crash(world)
        joined = dialect.parse_patch(Kind.GROUP, patch_body(add(ids[1])))
        await accept(world, joined, crew.resource.public_id)
        await crash(world)
        await accept(world, Write(Verb.DELETE, Kind.USER), ids[0])
        await crash(world)
        await world.settled()

        [left] = world.tfe.directory.users
        [made] = world.tfe.directory.groups
        assert left.fields.user_name == "bob@example.com"
        assert set(made.fields.members) == {left.stamp.id}
        found = await world.store.directory.get(Kind.USER, ids[1], members=False)
        assert found.public_id == ids[1]
        await world.stop()

    run_virtually(main)
