"""A7: on a full disk writes are 503 with `Retry-After`, nothing is half-written, delivery goes on."""

import asyncio
import resource
import sys

from aiohttp import ClientSession
from support.idp import Idp, user
from support.relays import RelayProcess, relay_for, until, write_config

FAST = {"rate": 100}


async def pages(relay, limit):
    """Let the database have at most `limit` pages more than it uses; returns what it had."""

    def set_limit(tx):
        used = tx.value("PRAGMA page_count")
        return tx.value(f"PRAGMA max_page_count = {used + limit}")

    return await relay.store.run(set_limit)


async def test_when_the_disk_is_full_writes_are_503_and_what_was_accepted_is_delivered(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        unlimited.pause()
        await pages(relay, 40)
        accepted, refused = [], []
        for number in range(400):
            reply = await relay.idp.post("/Users", user(f"user{number}@example.com"))
            assert reply.status in (201, 503), reply
            (accepted if reply.status == 201 else refused).append(number)
            if refused:
                assert "Retry-After" in reply.headers
                break
        assert accepted
        assert refused
        counters = await relay.counters()
        assert counters["accepted"] == len(accepted)
        listed = await relay.idp.get("/Users?count=0")
        assert listed.body["totalResults"] == len(accepted)

        unlimited.resume()
        await relay.settled()
        assert len(unlimited.directory.users) == len(accepted)


async def test_it_recovers_alone_when_there_is_room_again(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        await pages(relay, 0)
        statuses = [
            (await relay.idp.post("/Users", user(f"user{number}@x.org"))).status
            for number in range(60)
        ]
        assert statuses[-1] == 503
        await pages(relay, 100_000)

        async def taken():
            return (await relay.idp.post("/Users", user("late@x.org"))).status == 201

        await until(taken)
        await relay.settled()
        assert len(unlimited.directory.users) == statuses.count(201) + 1


FULL_FILE = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if most := os.environ.get("MOST"):
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), -1))
from relay.cli import main
sys.argv = ["scim-relay", *sys.argv[1:]]
main()
"""
"""The relay, whose files may not grow past a size once `prlimit` said so (SQLITE_IOERR_WRITE)."""


class Limited(RelayProcess):
    """A relay that ignores SIGXFSZ, so that a write past the limit fails instead of killing it."""

    @property
    def command(self):
        return (sys.executable, "-c", FULL_FILE, "serve", "--config", str(self.config))

    def limit(self, size):
        """Let its files grow to this size, or (-1) to any."""
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (size, -1))


async def test_a_disk_that_fails_to_write_is_503_and_everything_goes_on_once_it_works(
    unlimited, tmp_path, unused_tcp_port
):
    config = write_config(
        unlimited,
        tmp_path,
        answer={"wait": "0s"},
        target=FAST,
        metrics={"address": f"127.0.0.1:{unused_tcp_port}"},
    )
    relay = Limited(config)
    await relay.start()

    async def imported():
        return (await relay.status())["import"] == "complete"

    url = f"http://127.0.0.1:{unused_tcp_port}/readyz"

    async def ready():
        async with ClientSession() as session, session.get(url) as got:
            return await got.text()

    await until(imported)
    async with Idp(relay.base) as idp:
        assert (await idp.post("/Users", user("before@example.com"))).status == 201
        relay.limit(4096)
        statuses = {(await idp.post("/Users", user(f"{n}@example.com"))).status for n in range(5)}
        assert statuses == {503}
        assert (await idp.get("/Users?count=1")).status == 200
        assert await ready() == "the disk takes no writes (disk I/O error)\n"
        assert (await relay.status())["disk_trouble"] == "disk I/O error"
        relay.limit(-1)

        async def told_well():
            return await ready() == "ok\n"

        await until(told_well)
        assert (await relay.status())["disk_trouble"] is None

        async def works():
            return (await idp.post("/Users", user("after@example.com"))).status in (201, 409)

        await until(works)
    await until(lambda: len(unlimited.directory.users) == 2)
    assert await relay.stop() == 0
    names = {one.fields.user_name for one in unlimited.directory.users}
    assert names == {"before@example.com", "after@example.com"}


async def test_a_start_on_a_disk_that_takes_nothing_waits_until_it_does(unlimited, tmp_path):
    config = write_config(unlimited, tmp_path, answer={"wait": "0s"}, target=FAST)
    relay = RelayProcess(config)
    await relay.start()
    async with Idp(relay.base) as idp:
        await until(lambda: any(one.get("event") == "import.completed" for one in relay.lines))
        unlimited.pause()
        assert (await idp.post("/Users", user("ada@example.com"))).status == 201
    await relay.kill()
    unlimited.resume()

    full = Limited(config, environ={"MOST": "4096"})
    starting = asyncio.ensure_future(full.start())
    await until(
        lambda: any(one.get("event") == "store.trouble" for one in getattr(full, "lines", []))
    )
    full.limit(-1)
    await starting

    await until(lambda: len(unlimited.directory.users) == 1)
    assert await full.stop() == 0
    reasons = {one["reason"] for one in full.lines if one.get("event") == "store.trouble"}
    assert all("nothing in it is lost" in one and "salvage" not in one for one in reasons)


async def test_a_statement_that_sqlite_interrupts_fails_alone(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        connection = relay.store._writer._connection
        connection.set_progress_handler(lambda: 1, 1)
        assert (await relay.idp.post("/Users", user("ada@example.com"))).status == 503
        connection.set_progress_handler(None, 0)
        assert (await relay.idp.post("/Users", user("ada@example.com"))).status == 201
        await relay.settled()
        assert len(unlimited.directory.users) == 1
