"""A10: a lock that another holds, or a slow disk, is answered 503 inside the IdP's patience."""

import asyncio
import threading

from support.idp import user
from support.relays import relay_for

from relay.store.file.engine import open_plain

FAST = {"rate": 100}
PATIENCE_S = 60.0
"""Entra ID waits so long (idp-dialects.md)."""


async def test_while_another_holds_the_file_locked_a_write_is_503_and_works_afterwards(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        [(waits_ms,)] = await relay.store.run(lambda tx: tx.all("PRAGMA busy_timeout"))
        assert 0 < waits_ms < PATIENCE_S * 1000 / 2
        await relay.store.run(lambda tx: tx.all("PRAGMA busy_timeout = 50"))
        other = open_plain(tmp_path / "relay.db")
        other.execute("BEGIN IMMEDIATE")
        refused = await relay.idp.post("/Users", user("ada@example.com"))
        read = await relay.idp.get("/Users?count=1")
        other.execute("ROLLBACK")
        other.close()

        assert (refused.status, read.status) == (503, 200)
        assert int(refused.headers["Retry-After"]) > 0
        assert (await relay.idp.post("/Users", user("ada@example.com"))).status == 201
        await relay.settled()
        assert len(unlimited.directory.users) == 1


async def test_a_write_that_waits_for_a_slow_disk_has_one_effect_however_often_it_is_repeated(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        stuck, free = threading.Event(), threading.Event()

        def slow(_tx):
            stuck.set()
            assert free.wait(30)

        syncing = asyncio.ensure_future(relay.store.run(slow))
        await asyncio.to_thread(stuck.wait, 10)
        first = asyncio.ensure_future(relay.idp.post("/Users", user("ada@example.com")))
        again = asyncio.ensure_future(relay.idp.post("/Users", user("ada@example.com")))
        # Reads do not wait for the writer.
        assert (await relay.idp.get("/Users?count=1")).status == 200
        free.set()
        await syncing
        replies = await asyncio.gather(first, again)

        assert sorted(one.status for one in replies) in ([201, 201], [201, 409])
        await relay.settled()
        assert len(unlimited.directory.users) == 1
