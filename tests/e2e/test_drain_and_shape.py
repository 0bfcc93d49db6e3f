"""`scim-relay drain` and `scim-relay shape`, as they are typed."""

import asyncio
import json

import pytest
from support.idp import Idp, deactivate
from support.relays import RelayProcess, asked, relay_for, typed, until, write_config

from relay.errors import RelayError


async def imported(relay):
    return (await relay.status())["import"] == "complete"


REASON = ("--reason", "moving house")


async def test_a_drained_relay_has_delivered_all_and_takes_no_writes_but_reads(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target={"rate": 100}, answer={"wait": "0s"}) as relay:
        ada, *_ = [await relay.idp.create_user(f"user{number}@x.org") for number in range(40)]
        code, shown = await typed(tmp_path, "drain", "--json", *REASON)

        assert (code, json.loads(shown)["pending"]) == (0, 0)
        assert len(unlimited.directory.users) == 40
        reply = await relay.idp.patch(f"/Users/{ada}", deactivate())
        assert (reply.status, "moving house" in reply.body["detail"]) == (503, True)
        assert int(reply.headers["Retry-After"]) > 0
        assert (await relay.idp.get(f"/Users/{ada}")).status == 200
        assert (await relay.status())["draining"] == "moving house"

        assert (await typed(tmp_path, "drain", "--end", *REASON))[0] == 0
        assert (await relay.idp.patch(f"/Users/{ada}", deactivate())).status == 200
        code, shown = await typed(tmp_path, "drain", "--end", *REASON)
        assert (code, "not draining" in shown) == (1, True)


async def test_what_cannot_be_delivered_is_told_and_the_door_stays_shut_after_a_restart(
    unlimited, tmp_path
):
    config = write_config(unlimited, tmp_path, answer={"wait": "0s"})
    relay = RelayProcess(config)
    await relay.start()
    async with Idp(relay.base) as idp:
        await until(lambda: imported(relay))
        await idp.create_user("ada@x.org")
        await until(lambda: len(unlimited.directory.users) == 1)
        unlimited.pause()
        await idp.create_user("bob@x.org")
        code, shown = await typed(tmp_path, "drain", "--timeout", "0s", *REASON)
        assert (code, "pending: 1" in shown) == (1, True)
    await relay.kill()
    again = RelayProcess(config)
    await again.start()
    async with Idp(again.base) as idp:
        reply = await idp.call("POST", "/Users", {"userName": "eve@x.org"})
        assert (reply.status, "moving house" in reply.body["detail"]) == (503, True)
    await again.stop()


async def test_a_command_that_waits_for_a_drain_does_not_begin_another_when_it_was_ended(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, answer={"wait": "0s"}) as relay:
        await typed(tmp_path, "pause", *REASON)
        await relay.idp.create_user("ada@x.org")
        waiting = asyncio.ensure_future(typed(tmp_path, "drain", "--timeout", "20s", *REASON))

        async def draining():
            return (await relay.status())["draining"] is not None

        await until(draining)
        assert (await typed(tmp_path, "drain", "--end", *REASON))[0] == 0
        code, shown = await waiting

        assert (code, "pending: 1" in shown) == (1, True)
        assert not await draining()


async def test_an_order_to_drain_must_say_why(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path) as relay:
        with pytest.raises(RelayError, match="without a reason"):
            await asked(tmp_path / "control.sock", "drain")
        assert (await relay.status())["draining"] is None


async def test_shape_tells_what_waits_for_what(unlimited, tmp_path):
    guard = {"protected_users": ["root@x.org"]}
    async with relay_for(
        unlimited, tmp_path, answer={"wait": "0s"}, target={"rate": 100}, guard=guard
    ) as relay:
        code, shown = await typed(tmp_path, "shape")
        assert (code, shown) == (0, "nothing waits\n")
        await typed(tmp_path, "pause", *REASON)
        await relay.held("operator")
        for name in ("ada", "bob", "root"):
            await relay.idp.create_user(f"{name}@x.org")
        code, shown = await typed(tmp_path, "shape", "--json")

        rows = {row["waits"]: row for row in map(json.loads, shown.splitlines())}
        assert {waits: (row["total"], row["5"]) for waits, row in rows.items()} == {
            "ready": (2, 2),
            "held": (1, 1),
        }
        assert "1280+" in (await typed(tmp_path, "shape"))[1]
