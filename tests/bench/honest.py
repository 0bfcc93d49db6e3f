"""Honest clients in a process of their own: look-ups and creations at a steady pace, each timed.

Half of them keep their connection, half open a new one for each request. Requests leave at their
time whether or not the one before was answered late: a wait is counted, not skipped.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter

from load import create, lookup, rendered

CLIENTS = 8


class Honest:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.number = args.first
        self.statuses: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {"lookup": [], "create": []}

    def request(self) -> tuple[str, bytes]:
        """Of which kind, and its bytes."""
        self.number += 1
        kind, made = ("lookup", lookup) if self.number % 5 else ("create", create)
        return kind, rendered(self.args.base, self.args.token, *made(self.number))

    async def client(self, place: int) -> None:
        keeps = place % 2 == 0
        loop = asyncio.get_running_loop()
        began, every = loop.time() + place * 0.01, CLIENTS / self.args.rate
        streams = None
        for turn in range(int(self.args.seconds / every)):
            await asyncio.sleep(max(0.0, began + turn * every - loop.time()))
            kind, request = self.request()
            asked = time.perf_counter()
            try:
                async with asyncio.timeout(30):
                    streams = streams or await asyncio.open_connection("127.0.0.1", self.args.port)
                    status = await self.ask(*streams, request)
            except (OSError, EOFError, TimeoutError) as error:
                status = type(error).__name__
            self.times[kind].append(time.perf_counter() - asked)
            self.statuses[status] += 1
            if streams is not None and (not keeps or not status.isdigit()):
                streams[1].close()
                streams = None
        if streams is not None:
            streams[1].close()

    async def ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> str:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        at = head.lower().index(b"content-length:") + 15
        await reader.readexactly(int(head[at : head.index(b"\r", at)]))
        return head[9:12].decode()

    async def run(self) -> dict[str, object]:
        await asyncio.gather(*(self.client(place) for place in range(CLIENTS)))
        found: dict[str, object] = {"statuses": dict(self.statuses)}
        for kind, times in self.times.items():
            times.sort()
            for name, share in (("p50", 0.50), ("p99", 0.99)):
                value = times[min(int(len(times) * share), len(times) - 1)]
                found[f"{kind}_{name}_ms"] = round(value * 1000, 1)
            found[f"{kind}_max_ms"] = round(times[-1] * 1000, 1)
        return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--base", default="/scim/v2")
    parser.add_argument("--token", required=True)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--first", type=int, default=0)
    print(json.dumps(asyncio.run(Honest(parser.parse_args()).run())))


if __name__ == "__main__":
    main()
