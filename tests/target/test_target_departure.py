"""When a request is said to leave: once its connection stands, and never if none did (H1)."""

import asyncio

import pytest
from scripted_peer import http, read_request

from relay.errors import NotSent
from relay.rules.reads import probe


async def test_a_request_leaves_after_the_handshake_and_before_its_answer(peer, client):
    told = []

    async def play(peer, reader, writer):
        await read_request(peer, reader)
        told.append("arrived")
        writer.write(http(200, b"{}"))
        await writer.drain()
        await reader.read()

    async with peer(play) as server, client(server.url) as target:
        await target.send(probe(), "a", lambda: told.append("left"))

    assert told == ["left", "arrived"]


async def test_nothing_leaves_while_a_handshake_hangs(peer, client):
    left = []

    async def play(peer, reader, writer):
        await reader.read()

    async with (
        peer(play) as server,
        client(server.url.replace("http", "https"), timeout_s=0.2) as target,
    ):
        with pytest.raises(NotSent):
            await target.send(probe(), "a", lambda: left.append(asyncio.get_running_loop().time()))

    assert left == []
