"""A peer that plays a script, byte by byte, and a client that talks to it."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest
from scripted_peer import Peer

from relay.clock import SystemClock
from relay.target import Endpoint, FixedToken, TargetClient

# looptime asks the policy for a loop even in tests that are not asynchronous. Before any loop was
# set, the policy answers by making one, which nobody closes: a ResourceWarning in some later test.
asyncio.set_event_loop(None)


@pytest.fixture
def peer():
    """Start a peer that plays the given coroutine function on each connection."""

    @asynccontextmanager
    async def start(play):
        peer = Peer()

        server = await asyncio.start_server(partial(peer.connected, play), "127.0.0.1", 0)
        peer.port = server.sockets[0].getsockname()[1]
        try:
            yield peer
        finally:
            server.close()
            await peer.stop()

    return start


@pytest.fixture
def client():
    """Open a client of the given base URL."""

    @asynccontextmanager
    async def start(url, token=None, **endpoint):
        endpoint = Endpoint(url, **{"timeout_s": 5.0, **endpoint})
        async with TargetClient(endpoint, token or FixedToken("canary-token"), SystemClock()) as it:
            yield it

    return start
