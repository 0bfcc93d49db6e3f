"""What a scripted peer is made of: raw connections on loopback, answers byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field


@dataclass
class Peer:
    """A server on loopback; `play(peer, reader, writer)` decides what each connection gets."""

    port: int = 0
    connections: int = 0
    received: list[bytes] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: list[asyncio.Task] = field(default_factory=list)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/scim/v2"

    async def connected(self, play, reader, writer):
        """Play the script on one connection; its client may go at any time."""
        self.connections += 1
        self.writers.append(writer)
        self.tasks.append(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await play(self, reader, writer)
        writer.close()

    async def stop(self):
        """End every connection and wait until its script has ended."""
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.gather(*self.tasks)
        for writer in self.writers:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def read_request(peer, reader):
    """One whole request, noted."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    body = await reader.readexactly(length)
    peer.received.append(head + body)


def http(status, body=b"", length=None, headers=""):
    """An answer, with a Content-Length that may lie."""
    size = len(body) if length is None else length
    head = f"HTTP/1.1 {status} Reason\r\nContent-Length: {size}\r\n{headers}\r\n"
    return head.encode() + body
