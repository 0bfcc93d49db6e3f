"""A9: slow, huge or many clients cannot starve others: deadlines, caps, and room for who is known."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest
from support.front_fakes import TOKEN, Site, running
from support.relays import until

from relay.front.reads import PAGES_AT_ONCE
from relay.rules.types import Kind

LINES = f"Host: relay\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
GET = b"GET /scim/v2/Users HTTP/1.1\r\n" + LINES


def connect(stack: ExitStack, port: int, count: int) -> list[socket.socket]:
    """So many connections, by blocking calls: meanwhile the relay's loop stands still."""
    return [
        stack.enter_context(socket.create_connection(("127.0.0.1", port), 5)) for _ in range(count)
    ]


async def closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize("sent", [b"", b"GET /scim/v2/Us", GET[:-2]])
async def test_a_head_that_does_not_arrive_ends_the_connection(sent):
    async with running(header_deadline_s=0.1) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(sent)

        assert await closed(reader) == b""
        writer.close()


async def test_a_second_head_that_trickles_ends_the_connection_too():
    async with running(header_deadline_s=0.1) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(GET)
        first = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"GET /scim")

        assert first.startswith(b"HTTP/1.1 200 ")
        await closed(reader)
        writer.close()


async def test_a_body_that_trickles_ends_the_connection_too():
    async with running(body_deadline_s=0.2) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        lines = b"Content-Type: application/json\r\nContent-Length: 1000\r\n" + LINES
        writer.write(b"POST /scim/v2/Users HTTP/1.1\r\n" + lines + b"{")

        assert (await closed(reader)).startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_an_idle_connection_is_kept_beyond_the_head_s_deadline_and_ends_with_keepalive():
    async with running(header_deadline_s=0.05, keepalive_s=0.3) as site:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        idle_since = loop.time()
        await closed(reader)

        assert loop.time() - idle_since > 0.2
        writer.close()


async def test_idle_strangers_past_the_cap_make_room_for_an_honest_client():
    async with running(max_connections=50) as site:
        idle = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(300)]
        response, _ = await site.send("GET", "/Users")

        assert response.status == 200
        assert site.guard.live <= 50
        assert site.metrics.refusals.count("connections") >= 250
        for _, writer in idle:
            writer.close()


async def test_a_burst_of_strangers_does_not_keep_those_waiting_who_are_in():
    async with running() as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(GET)
        await reader.readuntil(b"\r\n\r\n")
        with ExitStack() as burst:
            connect(burst, site.port, 900)
            writer.write(GET)
            await reader.readuntil(b"HTTP/1.1 200 ")

            live = site.guard.live
            await until(lambda: site.guard.live == 901)

        assert live < 300
        writer.close()


async def test_a_stranger_who_has_spoken_is_heard_before_a_burst_of_others_puts_him_out():
    async with running(max_connections=100) as site:
        with ExitStack() as burst:
            [first] = connect(burst, site.port, 1)
            first.sendall(GET)
            connect(burst, site.port, 900)
            first.setblocking(False)
            answer = await asyncio.get_running_loop().sock_recv(first, 100)
            await until(lambda: site.metrics.refusals.count("connections") == 801)

        assert answer.startswith(b"HTTP/1.1 200 ")


async def test_known_clients_are_never_put_out_and_the_next_one_is_told_503():
    async with running(max_connections=2) as site:
        known = [await asyncio.open_connection("127.0.0.1", site.port) for _ in range(2)]
        for reader, writer in known:
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n")
        late, late_writer = await asyncio.open_connection("127.0.0.1", site.port)
        refusal = await closed(late)
        known[0][1].write(GET)
        line = b""
        while not line.startswith(b"HTTP/1.1"):
            line = await known[0][0].readuntil(b"HTTP/1.1 ") + await known[0][0].readline()
            line = line[line.rindex(b"HTTP/1.1") :]

        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in refusal
        assert b'"status":"503"' in refusal
        assert line.startswith(b"HTTP/1.1 200 ")
        for _, writer in [*known, (late, late_writer)]:
            writer.close()


async def test_a_closed_connection_is_no_longer_counted():
    async with running(max_connections=1) as site:
        for _ in range(3):
            answer = await site.raw(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

            assert answer.startswith(b"HTTP/1.1 200 ")
            assert site.guard.live <= 1


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"NOT HTTP AT ALL\r\n\r\n",
        b"GET /scim/v2/Users HTTP/9.9\r\n\r\n",
        b"GET /scim/v2/Users\r\n\r\n",
        b"GET /scim/v2/Users HTTP/1.1\r\nbad header\r\n\r\n",
        b"GET /scim/v2/Users HTTP/1.1\r\nHost: r\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
        b"GET /scim/v2/Users HTTP/1.1\r\nHost: r\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET /" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: r\r\n\r\n",
        b"POST /scim/v2/Users HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /scim/v2/Users HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /scim/v2/Users HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET /scim/v2/Users HTTP/1.1\r\nHost: r\r\nA: b\x00c\r\n\r\n",
        b"\r\n\r\n\r\n\x00\x00\x00\x00",
    ],
    ids=range(13),
)
async def test_broken_http_is_told_so_in_scim_s_words(sent):
    async with running(header_deadline_s=0.3) as site:
        answer = await site.raw(sent)

    assert answer.split(b" ", 2)[1] in {b"400", b"401"}
    assert b"application/scim+json" in answer
    assert b"urn:ietf:params:scim:api:messages:2.0:Error" in answer


async def test_pipelined_requests_are_answered_in_order(site: Site):
    second = GET.replace(b"/Users", b"/Nowhere").replace(
        b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"
    )

    answer = await site.raw(GET + second)

    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404"]


async def test_an_absolute_target_is_understood(site: Site):
    answer = await site.raw(
        b"GET http://elsewhere/scim/v2/Users HTTP/1.1\r\nConnection: close\r\n" + LINES
    )

    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_look_ups_overtake_pages_of_which_few_are_read_at_once():
    async with running() as site:
        site.directory.pages = asyncio.Event()
        asked = [asyncio.ensure_future(site.send("GET", "/Users")) for _ in range(20)]
        await until(lambda: site.directory.pages_asked == PAGES_AT_ONCE)
        response, _ = await site.send("GET", "/Users?filter=userName%20eq%20%22a%22")
        reading = site.directory.pages_asked
        site.directory.pages.set()
        statuses = {(await one)[0].status for one in asked}

    assert response.status == 200
    assert reading == PAGES_AT_ONCE
    assert statuses == {200}


async def test_answers_that_nobody_takes_are_bounded_and_keep_no_write_waiting():
    async with running(max_buffered_bytes=30_000_000, body_deadline_s=4.0) as site:
        for number in range(10):
            site.directory.add(Kind.USER, f"u{number}", displayName="x" * 2_000_000)
        with ExitStack() as unread:
            for one in connect(unread, site.port, 4):
                one.sendall(GET)
            await until(lambda: "busy" in site.metrics.refusals)
            response, body = await site.send("GET", "/Users")
            created, _ = await site.send("POST", "/Users", json={"userName": "a@b.c"})
            found, _ = await site.send("GET", "/Users?filter=userName%20eq%20%22a@b.c%22")
        await until(lambda: site.guard.live <= 1)
        again, _ = await site.send("GET", "/Users")

    assert (response.status, response.headers["Retry-After"]) == (503, "1")
    assert "answers" in body["detail"]
    assert (created.status, found.status) == (201, 200)
    assert again.status == 200
