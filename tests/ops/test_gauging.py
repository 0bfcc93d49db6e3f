"""What is counted row by row is counted the more seldom the longer it takes."""

import pytest

from relay.daemon.gauging import SHARE, Gauging
from relay.store.operate.backlog import Backlog
from relay.store.operate.status import Snapshot
from relay.telemetry.metrics import Metrics


class Clock:
    now = 100.0

    def wall(self):
        return 1_000.0 + self.now

    def monotonic(self):
        return self.now


class SlowStore:
    """The store's part of it: a count takes `took_s`."""

    def __init__(self, clock, took_s):
        self.clock, self.took_s, self.counts, self.closed = clock, took_s, 0, None
        self.desk = self.directory = self

    async def backlog(self):
        self.counts += 1
        self.clock.now += self.took_s
        return Backlog({"User": (5, 1_040.0)}, {"User": 2}, 1, None)


EMPTY = Snapshot({}, 0, None, None, 0, 0, (), None)


@pytest.mark.parametrize(("took_s", "most"), [(0.001, 100), (1.0, 10)])
async def test_a_count_takes_a_small_share_of_the_time(took_s, most):
    clock = Clock()
    store = SlowStore(clock, took_s)
    gauging = Gauging(store, Metrics().flow, clock)
    for _ in range(100):
        await gauging.observe(EMPTY)
        clock.now += 2.0

    assert 0 < store.counts <= most
    assert store.counts * took_s <= (clock.now - 100.0) / SHARE + took_s


async def test_it_says_what_was_counted():
    clock, metrics = Clock(), Metrics()
    await Gauging(SlowStore(clock, 0.0), metrics.flow, clock).observe(EMPTY)

    value = metrics.registry.get_sample_value
    assert value("scim_relay_pending_changes", {"kind": "User"}) == 5
    assert value("scim_relay_lag_seconds", {"kind": "User"}) == 60
    assert value("scim_relay_unbound_ids", {"kind": "User"}) == 2
    assert value("scim_relay_pending_changes", {"kind": "Group"}) == 0
    assert value("scim_relay_overflowed_groups") == 1
