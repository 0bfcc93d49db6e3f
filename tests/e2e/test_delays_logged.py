"""`change.finished`, as a relay in a process of its own logs it: which of the four grew tells why."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

from support.idp import TOKEN, Idp, user
from support.relays import RelayProcess, until, write_config

from relay.simulator.faults import Fault, FaultKind, Match

PARTS = ("accept_s", "wait_s", "pace_s", "send_s")


@asynccontextmanager
async def logging_relay(sim, folder, **sections):
    relay = RelayProcess(write_config(sim, folder, **sections))
    await relay.start()
    try:
        async with Idp(relay.base) as idp:
            await until(lambda: any(one.get("event") == "import.completed" for one in relay.lines))
            yield relay, idp
    finally:
        await relay.stop()


async def finished(relay, count):
    """The lines of the first so many changes that ended."""

    def lines():
        return [one for one in relay.lines if one.get("event") == "change.finished"]

    await until(lambda: len(lines()) >= count)
    assert all(line[part] >= 0 for line in lines() for part in PARTS)
    return lines()


async def test_a_target_that_answers_late_shows_in_send_s(unlimited, tmp_path):
    slow = Fault(kind=FaultKind.SLOW_AFTER, delay_s=0.7)
    async with logging_relay(unlimited, tmp_path) as (relay, idp):
        unlimited.faults.add(slow, Match(method="POST"))
        began = time.monotonic()
        await idp.create_user("ada@example.com")
        [line] = await finished(relay, 1)
        took_s = time.monotonic() - began

    assert (line["outcome"], line["verb"], line["level"]) == ("delivered", "create", "info")
    assert 0.7 <= line["send_s"] <= took_s
    assert sum(line[part] for part in PARTS) <= took_s


async def test_a_pause_shows_in_wait_s(unlimited, tmp_path):
    async with logging_relay(unlimited, tmp_path) as (relay, idp):
        unlimited.pause()
        await idp.create_user("ada@example.com")
        await until(lambda: any(one.get("event") == "hold.raised" for one in relay.lines))
        paused = time.monotonic()
        await asyncio.sleep(0.5)  # the pause itself: real time is what is measured
        unlimited.resume()
        shortest_s = time.monotonic() - paused
        [line] = await finished(relay, 1)

    assert line["wait_s"] >= shortest_s
    assert line["send_s"] < line["wait_s"]


async def test_a_low_rate_shows_in_pace_s(unlimited, tmp_path):
    async with logging_relay(unlimited, tmp_path, target={"rate": 2}, answer={"wait": "0s"}) as (
        relay,
        idp,
    ):
        for name in ("ada", "bob", "eve", "fay"):
            await idp.create_user(f"{name}@example.com")
        lines = await finished(relay, 4)

    assert max(line["pace_s"] for line in lines) >= 0.3
    assert max(line["wait_s"] for line in lines) >= 0.3


async def test_a_body_that_comes_slowly_shows_in_accept_s(unlimited, tmp_path):
    async with logging_relay(unlimited, tmp_path) as (relay, _):
        body = json.dumps(user("ada@example.com")).encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        head = (
            f"POST /scim/v2/Users HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/scim+json\r\nContent-Length: {len(body)}\r\n"
            "Expect: 100-continue\r\n\r\n"
        )
        writer.write(head.encode())
        # The relay has seen the head, however busy the machine is.
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body[:10])
        await asyncio.sleep(0.4)  # the slow client itself
        writer.write(body[10:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 201")
        [line] = await finished(relay, 1)
        writer.close()

    assert line["accept_s"] >= 0.39


async def test_a_refusal_is_an_error_with_the_command_that_shows_more(unlimited, tmp_path):
    refusal = Fault(kind=FaultKind.STATUS, status=422, detail="ada@example.com is not wanted")
    async with logging_relay(unlimited, tmp_path, answer={"wait": "0s"}) as (relay, idp):
        unlimited.faults.add(refusal, Match(method="POST"))
        await idp.create_user("ada@example.com")
        [line] = await finished(relay, 1)
        parked = [one for one in relay.lines if one.get("event") == "change.parked"]

    assert (line["outcome"], line["status"]) == ("parked", 422)
    assert [(one["level"], one["change"]) for one in parked] == [("error", line["change"])]
    assert parked[0]["cure"] == f"scim-relay changes show {line['change']}"
    assert not any("ada@example.com" in str(one) for one in relay.lines)
