"""A load generator in a process of its own: keep-alive connections, one request at a time each.

Raw sockets and prepared bytes, so that it costs a fraction of what it measures; every body differs.
Prints one JSON object: answers by status, seconds, and the latency of answers in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections import Counter
from urllib.parse import quote


def create(number: int) -> tuple[str, str, bytes]:
    name = f"load{number}@example.com"
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "externalId": f"ext-{number}",
        "active": True,
        "displayName": f"Load {number}",
        "emails": [{"primary": True, "type": "work", "value": name}],
        "name": {"givenName": "Load", "familyName": str(number)},
    }
    return "POST", "/Users", json.dumps(body).encode()


def lookup(number: int) -> tuple[str, str, bytes]:
    text = quote(f'userName eq "load{number}@example.com"')
    return "GET", f"/Users?filter={text}", b""


def rendered(base: str, token: str, method: str, path: str, body: bytes) -> bytes:
    head = (
        f"{method} {base}{path} HTTP/1.1\r\nHost: relay\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/scim+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Load:
    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.next = args.first
        self.statuses: Counter[int] = Counter()
        self.times: list[float] = []

    def request(self) -> bytes | None:
        if self.next >= self.args.first + self.args.count:
            return None
        number = self.next
        self.next += 1
        if self.args.kind == "lookup":
            number = (number * 7919) % self.args.population
            return rendered(self.args.base, self.args.token, *lookup(number))
        return rendered(self.args.base, self.args.token, *create(number))

    async def connection(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.args.port)
        while (request := self.request()) is not None:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            status = int(head[9:12])
            at = head.lower().index(b"content-length:") + 15
            await reader.readexactly(int(head[at : head.index(b"\r", at)]))
            self.times.append(time.perf_counter() - began)
            self.statuses[status] += 1
        writer.close()

    async def run(self) -> dict[str, object]:
        began = time.perf_counter()
        await asyncio.gather(*(self.connection() for _ in range(self.args.connections)))
        seconds = time.perf_counter() - began
        times = sorted(self.times)

        def percentile(share: float) -> float:
            return round(times[min(int(len(times) * share), len(times) - 1)] * 1000, 2)

        return {
            "statuses": dict(self.statuses),
            "seconds": round(seconds, 3),
            "per_second": round(len(times) / seconds, 1),
            "p50_ms": percentile(0.50),
            "p99_ms": percentile(0.99),
            "max_ms": round(times[-1] * 1000, 2),
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["create", "lookup"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--base", default="/scim/v2")
    parser.add_argument("--token", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--population", type=int, default=100_000)
    print(json.dumps(asyncio.run(Load(parser.parse_args()).run())))


if __name__ == "__main__":
    main()
