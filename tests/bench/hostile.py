"""Hostile clients in a process of their own, until they are stopped: what slowhttptest has not.

`idle` opens ten thousand connections that say nothing, and some of those that are closed again;
`huge` streams bodies of 1 GB, with a token and without; `reading` asks for pages, with a token, and
takes them by the byte. SIGTERM ends it; it prints what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import resource
import signal
import socket
from collections import Counter
from contextlib import suppress

from load import rendered

GB = 1_000_000_000
CHUNK = b'"' + b"x" * 65_535


class Hostile:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.seen: Counter[str] = Counter()
        self.sources = itertools.cycle(f"127.0.1.{last}" for last in range(1, 251))
        self.open: set[asyncio.Transport] = set()

    async def idle(self) -> None:
        """So many in all, then so many a second again of those that were closed."""
        loop = asyncio.get_running_loop()
        while self.seen["opened"] < self.args.count:
            await self.connect(loop)
        print("ready", flush=True)
        while True:
            await asyncio.sleep(0.1)
            for _ in range(min(self.args.count - len(self.open), self.args.again // 10)):
                await self.connect(loop)

    async def connect(self, loop: asyncio.AbstractEventLoop) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.bind((next(self.sources), 0))
        try:
            async with asyncio.timeout(5):
                await loop.sock_connect(sock, ("127.0.0.1", self.args.port))
                await loop.create_connection(lambda: Silent(self), sock=sock)
        except (OSError, TimeoutError) as error:
            self.seen[type(error).__name__] += 1
            sock.close()
            return
        self.seen["opened"] += 1
        self.seen["most at once"] = max(self.seen["most at once"], len(self.open))

    async def huge(self, token: str) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.args.port)
                sent, status = await self.stream(reader, writer, token)
                self.seen[f"{status} after {sent // 1_000_000} MB"] += 1
                writer.close()
            except OSError as error:
                self.seen[type(error).__name__] += 1
            await asyncio.sleep(0.01)

    async def stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str
    ) -> tuple[int, str]:
        """Chunked, so that no length gives it away; until it is answered or cut off."""
        head = (
            f"POST {self.args.base}/Users HTTP/1.1\r\nHost: r\r\nAuthorization: Bearer {token}\r\n"
            "Content-Type: application/scim+json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        writer.write(head.encode())
        sent = 0
        try:
            while sent < GB and not reader._buffer and not reader.at_eof():
                writer.write(b"%x\r\n%b\r\n" % (len(CHUNK), CHUNK))
                await writer.drain()
                sent += len(CHUNK)
            return sent, (await reader.read(12))[9:].decode() or "cut"
        except ConnectionError:
            return sent, bytes(reader._buffer[9:12]).decode() or "reset"

    async def slow_reader(self) -> None:
        """Three whole pages asked for, with a right token, and a few bytes taken now and then."""
        loop = asyncio.get_running_loop()
        page = rendered(self.args.base, self.args.token, "GET", "/Users?count=200", b"")
        while True:
            with socket.socket() as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
                sock.setblocking(False)
                with suppress(OSError):
                    await loop.sock_connect(sock, ("127.0.0.1", self.args.port))
                    await loop.sock_sendall(sock, page * 3)
                    self.seen["pages asked for"] += 3
                    while await loop.sock_recv(sock, 16):  # noqa: ASYNC110  # it is slow on purpose
                        await asyncio.sleep(2)
                self.seen["closed by the relay"] += 1
            await asyncio.sleep(0.1)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        work = {
            "idle": lambda: [self.idle()],
            "huge": lambda: [self.huge(one) for one in (self.args.token, "wrong")],
            "reading": lambda: [self.slow_reader() for _ in range(400)],
        }
        task = asyncio.gather(*work[self.args.kind]())
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            print(json.dumps(self.seen))


class Silent(asyncio.Protocol):
    """A connection that never says a word."""

    def __init__(self, owner: Hostile) -> None:
        self.owner = owner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.owner.open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.owner.open.discard(self.transport)
        self.owner.seen["closed by the relay"] += 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["idle", "huge", "reading"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--base", default="/scim/v2")
    parser.add_argument("--token", default="")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--again", type=int, default=0)
    args = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(Hostile(args).run())


if __name__ == "__main__":
    main()
