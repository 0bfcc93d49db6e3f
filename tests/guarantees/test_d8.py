"""D8: target trouble is charged to the target: during an outage no change uses up attempts."""

from support.idp import user
from support.world import World, run_virtually

from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match

DAY_S = 86_400
USERS = 300


async def create(world, name):
    write = dialect.parse_create(Kind.USER, user(name))
    return await world.store.directory.accept("idp", write, None)


def test_three_days_of_outage_cost_no_change_an_attempt_and_are_caught_up_at_the_full_rate(
    tmp_path,
):
    async def main():
        world = World(tmp_path / "relay.db", rate=10)
        await world.start()
        down = Fault(kind=FaultKind.STATUS, status=502)
        rule = world.tfe.faults.add(down, Match(count=None))
        made = [await create(world, f"user{number:03}@example.com") for number in range(USERS)]
        await world.pass_time(3 * DAY_S)
        posts = world.tfe.log.entries(method="POST")
        probes = world.tfe.log.entries(method="GET")
        assert len(posts) <= 4
        assert len(probes) <= 3 * DAY_S / 15 + 20
        assert await attempts(world) <= 1

        world.tfe.faults.remove(rule.ident)
        world.tfe.log.clear()
        began = world.tfe.log._clock.monotonic()
        await world.settled()
        created = [entry for entry in world.tfe.log.entries(method="POST") if entry.executed]
        assert len(created) == USERS == len(world.tfe.directory.users)
        assert 429 not in {entry.status for entry in world.tfe.log.entries()}
        # In order of acceptance; what was in doubt when the outage began is looked up first.
        names = [one.fields.user_name for one in world.tfe.directory.users]
        doubtful = {one.resource.shadow["userName"] for one in made[: len(posts)]}
        assert [one for one in names if one not in doubtful] == sorted({*names} - doubtful)
        start = created[0].monotonic_s
        early = sum(start <= one.monotonic_s < start + 2 for one in world.tfe.log.entries())
        assert early <= 6  # slow start: the full rate would be 20
        busy_s = created[-1].monotonic_s - created[USERS // 3].monotonic_s
        assert (USERS * 2 / 3 - 1) / busy_s > 9.0
        assert created[-1].monotonic_s - began < 15 + 60 + USERS / 9
        await world.stop()

    run_virtually(main)


async def attempts(world):
    """The most attempts that any change has used up."""

    def most(tx):
        return tx.value(
            "SELECT max(n) FROM (SELECT count(*) AS n FROM attempt WHERE purpose = 'write'"
            " GROUP BY resource)"
        )

    return await world.store.run(most)
