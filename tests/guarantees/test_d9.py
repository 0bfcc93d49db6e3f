"""D9: never more than R requests in any sliding second, look-ups included, across restarts."""

import pytest
from support.relays import relay_for, until

from relay.simulator.behaviour import Latency, RateLimit, SimulatorSettings, Window
from relay.simulator.server import simulator


@pytest.mark.parametrize("window", Window)
async def test_a_burst_on_cold_connections_is_never_refused(window, tmp_path):
    settings = SimulatorSettings(limit=RateLimit(rate=10, window=window), latency=Latency(20, 300))
    async with (
        simulator(settings) as sim,
        relay_for(sim, tmp_path, answer={"wait": "0s"}) as relay,
    ):
        for number in range(20):
            await relay.idp.create_user(f"user{number}@example.com")
        await relay.settled()

        assert len(sim.directory.users) == 20
        assert {entry.status for entry in sim.log.entries()} == {200, 201}
        assert sim.log.max_in_window(1.0) <= 10


async def test_restarts_in_a_row_stay_within_the_rate_as_one_process_does(tmp_path):
    settings = SimulatorSettings(limit=RateLimit(rate=10))
    async with simulator(settings) as sim:
        async with relay_for(sim, tmp_path, answer={"wait": "0s"}) as relay:
            sim.pause()
            for number in range(60):
                await relay.idp.create_user(f"user{number}@example.com")
        sim.resume()
        for _ in range(4):
            async with relay_for(sim, tmp_path, answer={"wait": "0s"}) as relay:
                await relay.free()
                made = len(sim.directory.users)
                await until(lambda: len(sim.directory.users) > made)  # noqa: B023 - awaited here
        assert sim.log.max_in_window(1.0) <= 10
        assert 429 not in {entry.status for entry in sim.log.entries()}
