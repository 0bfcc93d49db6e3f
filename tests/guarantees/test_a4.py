"""A4: a repeated inbound request (a lost response, or twins at once) has one effect and one id (A1 of semantics.md)."""

import asyncio

import aiohttp
import orjson
from support.idp import TOKEN, Idp, user
from support.relays import RelayProcess, relay_for, until, write_config

from relay.simulator.faults import Fault, FaultKind, Match

FAST = {"rate": 100}
ADA = user("ada@example.com")


def request_of(port, body):
    """A POST as bytes, to be cut off wherever a test likes."""
    data = orjson.dumps(body)
    head = (
        f"POST /scim/v2/Users HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/scim+json\r\n"
        f"Content-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def posted_and_gone(port, body, accepted):
    """Send a POST and close the socket once it was accepted, without reading the answer."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_of(port, body))
    await writer.drain()
    await until(accepted)
    writer.transport.abort()


async def test_a_client_that_went_before_its_answer_gets_the_same_id_again(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "30s"}) as relay:
        rule = unlimited.faults.add(
            Fault(kind=FaultKind.SLOW_BEFORE, delay_s=None), Match(method="POST")
        )

        async def accepted():
            return (await relay.counters())["accepted"] == 1

        await posted_and_gone(relay.parts.port, ADA, accepted)

        async def noticed():
            [change] = await relay.store.changes()
            return change["answered_by"] == "nobody"

        await until(noticed)
        rule.release()
        await relay.settled()
        again = await relay.idp.post("/Users", ADA)
        assert again.status == 201
        assert len(unlimited.directory.users) == 1
        assert (await relay.counters())["accepted"] == 1
        third = await relay.idp.post("/Users", ADA)
        assert (third.status, third.body["scimType"]) == (409, "uniqueness")


async def test_twins_at_once_are_one_user(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        replies = await asyncio.gather(*(relay.idp.post("/Users", ADA) for _ in range(2)))
        assert sorted(reply.status for reply in replies) in ([201, 201], [201, 409])
        assert len({reply.body["id"] for reply in replies if reply.status == 201}) == 1
        await relay.settled()
        assert len(unlimited.directory.users) == 1


async def test_an_answered_post_that_is_repeated_is_a_duplicate(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        first = await relay.idp.post("/Users", ADA)

        async def told():
            rows = await relay.store.run(lambda tx: tx.all("SELECT answered FROM change"))
            return rows == [(1,)]

        await until(told)
        again = await relay.idp.post("/Users", ADA)
        assert (first.status, again.status) == (201, 409)
        assert again.body["scimType"] == "uniqueness"


async def test_a_post_after_a_delete_is_a_new_user(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        first = await relay.idp.post("/Users", ADA)
        await relay.idp.delete(f"/Users/{first.body['id']}")
        second = await relay.idp.post("/Users", ADA)
        assert second.status == 201
        assert second.body["id"] != first.body["id"]
        assert (await relay.idp.get(f"/Users/{first.body['id']}")).status == 404


async def test_a_post_repeated_after_a_kill_gets_its_id_again(unlimited, tmp_path):
    relay = RelayProcess(write_config(unlimited, tmp_path, answer={"wait": "30s"}))
    await relay.start()
    async with Idp(relay.base) as idp:

        async def ready():
            return (await idp.get("/Users?count=0")).status == 200

        await until(ready)
        unlimited.faults.add(Fault(kind=FaultKind.SLOW_BEFORE, delay_s=None), Match(method="POST"))
        posting = asyncio.ensure_future(idp.post("/Users", ADA))
        await unlimited.log.until(lambda log: any(one.method == "POST" for one in log.entries()))
        await relay.kill()
        assert isinstance(await settled(posting), aiohttp.ClientError)
    for rule in unlimited.faults.rules():
        rule.release()
    unlimited.faults.clear()

    relay = RelayProcess(relay.config)
    await relay.start()
    async with Idp(relay.base) as idp:
        again = await idp.post("/Users", ADA)
        assert again.status == 201
        await until(lambda: len(unlimited.directory.users) == 1)
        assert (await idp.get(f"/Users/{again.body['id']}")).status == 200
    assert await relay.stop() == 0


async def settled(task):
    """What a task ended with, an exception included."""
    [outcome] = await asyncio.gather(task, return_exceptions=True)
    return outcome
