"""How far behind, what is held since when, where time goes: each condition made, each gauge right."""

import time

import pytest
from support.idp import deactivate
from support.relays import relay_for, until

from relay.simulator.faults import Fault, FaultKind, Match

KEYS = {"target": {"rate": 100}, "answer": {"wait": "0s"}, "metrics": {"address": "127.0.0.1:0"}}


@pytest.fixture
async def relay(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, **KEYS) as relay:
        yield relay


def value(relay, name, **labels):
    return relay.parts.metrics.registry.get_sample_value(f"scim_relay_{name}", labels)


async def shows(relay, wanted, name, **labels):
    """Wait until a gauge has a value; what it has."""
    await until(lambda: value(relay, name, **labels) == wanted)


async def test_what_waits_is_counted_by_kind_with_its_age_and_what_has_no_id(relay, unlimited):
    unlimited.pause()
    began = time.time()
    await relay.idp.create_user("ada@example.com")
    await relay.idp.create_user("bob@example.com")
    await relay.idp.create_group("Crew")
    await relay.held("paused")

    await shows(relay, 2, "pending_changes", kind="User")
    await shows(relay, 1, "pending_changes", kind="Group")
    assert value(relay, "unbound_ids", kind="User") == 2
    assert 0 < value(relay, "lag_seconds", kind="User") <= time.time() - began
    assert began <= value(relay, "accepted_high_timestamp_seconds") <= time.time()
    assert value(relay, "delivered_high_timestamp_seconds") == 0
    assert began <= value(relay, "hold_since_timestamp_seconds", hold="paused") <= time.time()
    assert value(relay, "hold_since_timestamp_seconds", hold="token") == 0

    unlimited.resume()
    await relay.settled()
    await shows(relay, 0, "pending_changes", kind="User")
    await shows(relay, 0, "unbound_ids", kind="Group")
    await shows(relay, 0, "hold_since_timestamp_seconds", hold="paused")
    assert value(relay, "lag_seconds", kind="User") == 0
    behind = value(relay, "accepted_high_timestamp_seconds") - value(
        relay, "delivered_high_timestamp_seconds"
    )
    assert behind == 0


async def test_where_the_time_of_a_change_went_is_a_histogram_by_part(relay, unlimited):
    slow = Fault(kind=FaultKind.SLOW_AFTER, delay_s=0.5)
    unlimited.faults.add(slow, Match(method="POST"))
    await relay.idp.create_user("ada@example.com")
    await relay.settled()
    await shows(relay, 1, "end_to_end_seconds_count", outcome="delivered")

    parts = {
        part: value(relay, "delivery_seconds_sum", part=part)
        for part in ("accept", "wait", "pace", "send")
    }
    whole = value(relay, "end_to_end_seconds_sum", outcome="delivered")
    assert parts["send"] >= 0.5
    assert whole == pytest.approx(sum(parts.values()))


async def test_every_change_is_counted_once_and_the_sum_holds(relay, unlimited):
    refusal = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    ada = await relay.idp.create_user("ada@example.com")
    await relay.settled()
    unlimited.faults.add(refusal, Match(method="PATCH"))
    await relay.idp.patch(f"/Users/{ada}", {"op": "replace", "value": {"externalId": "e"}})
    await relay.idp.patch(f"/Users/{ada}", deactivate())
    await shows(relay, 1, "changes_counted", state="parked")
    await shows(relay, 2, "changes_counted", state="delivered")

    states = ("delivered", "refused", "parked", "dropped", "pending")
    assert value(relay, "changes_counted", state="accepted") == 3
    assert sum(value(relay, "changes_counted", state=state) for state in states) == 3


async def test_bounds_stand_beside_what_they_bound(relay, unlimited):
    slow = unlimited.faults.add(Fault(kind=FaultKind.SLOW_BEFORE), Match(method="POST", count=None))
    for name in ("ada", "bob", "eve"):
        await relay.idp.create_user(f"{name}@example.com")
    await until(lambda: value(relay, "target_in_flight") == 3)
    slow.release()
    await relay.settled()

    assert value(relay, "target_in_flight") == 0
    assert value(relay, "target_concurrency_limit") == 10
    assert value(relay, "target_rate_configured") == 100
    assert value(relay, "queue_limit") == 1_000_000
    assert value(relay, "store_full") == 0


async def test_a_tripped_guard_and_groups_in_parts_are_gauges(unlimited, tmp_path):
    guard = {"protected_users": [], "max_deletions": 1}
    async with relay_for(unlimited, tmp_path, **KEYS, guard=guard) as relay:
        people = [await relay.idp.create_user(f"u{n}@example.com") for n in range(3)]
        await relay.settled()
        for one in people:
            await relay.idp.delete(f"/Users/{one}")
        await shows(relay, 1, "guard_tripped")
        assert value(relay, "overflowed_groups") == 0


async def test_a_scrape_stays_below_a_thousand_series(relay, unlimited):
    for method in ("GET", "PUT", "PATCH", "DELETE", "POST"):
        for path in ("/Users", "/Groups", "/Users/x", "/Groups/x", "/Schemas", "/nowhere"):
            await relay.idp.call(method, path, {"schemas": []} if method != "GET" else None)
    await relay.idp.create_user("ada@example.com")
    await relay.settled()
    lines = relay.parts.metrics.exposition().decode().splitlines()

    assert 200 < len([line for line in lines if not line.startswith("#")]) < 1000
