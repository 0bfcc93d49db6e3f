"""Every order of an operator stands in the audit log with who gave it, and why."""

import json
import os
import pwd

from support.idp import deactivate
from support.relays import relay_for, typed, until

from relay.simulator.faults import Fault, FaultKind, Match

FAST = {"target": {"rate": 100}, "answer": {"wait": "0s"}}
GUARDED = ["ann@example.com", "bob@example.com"]


async def refused(relay, sim, name):
    """A creation that TFE will not have, parked; its change's number."""
    before = (await relay.counters())["parked"]
    fault = Fault(kind=FaultKind.STATUS, status=400, detail="no")
    sim.faults.add(fault, Match(method="POST", body=name, count=None))
    await relay.idp.create_user(name)

    async def parked():
        return (await relay.counters())["parked"] > before

    await until(parked)
    return str((await relay.counters())["accepted"])


async def test_each_order_is_told_with_the_operator_and_the_reason(unlimited, tmp_path):
    guard = {"protected_users": GUARDED}
    async with relay_for(unlimited, tmp_path, **FAST, guard=guard) as relay:
        for name in GUARDED:
            await relay.idp.create_user(name)
        first, second = [await refused(relay, unlimited, f"{who}@x.org") for who in ("cy", "di")]
        orders = {
            "hold raised": ("pause",),
            "hold lifted": ("resume",),
            "approved": ("holds", "approve", "--person", GUARDED[0]),
            "rejected": ("holds", "reject", "--person", GUARDED[1]),
            "retried": ("changes", "retry", first),
            "dropped": ("changes", "drop", second),
        }
        for event, order in orders.items():
            code, shown = await typed(tmp_path, *order, "--reason", f"why {event}")
            assert code == 0, shown
        _, exported = await typed(tmp_path, "audit", "export")

    ours = f"{pwd.getpwuid(os.getuid()).pw_name} (uid {os.getuid()})"
    told = [json.loads(line) for line in exported.splitlines()]
    given = {one["event"]: one["words"] for one in told if one["actor"] == ours}
    assert set(given) == set(orders)
    assert all(f"why {event}" in given[event] for event in orders)


async def test_an_order_without_a_reason_is_refused_and_leaves_no_entry(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, **FAST, guard={"protected_users": GUARDED}) as relay:
        ann = await relay.idp.create_user(GUARDED[0])
        await relay.idp.patch(f"/Users/{ann}", deactivate())
        for order in (
            ("pause",),
            ("holds", "approve", "--person", GUARDED[0]),
            ("holds", "reject", "--person", GUARDED[0]),
            ("changes", "retry", "1"),
            ("changes", "drop", "1"),
        ):
            code, _ = await typed(tmp_path, *order, "--reason", " ")
            assert code != 0
        _, exported = await typed(tmp_path, "audit", "export")

    assert [one for one in map(json.loads, exported.splitlines()) if "uid" in one["actor"]] == []
