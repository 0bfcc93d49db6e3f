"""What the measurements share: loads, seeding, percentiles."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.idp import TOKEN, Idp
from support.relays import RelayProcess, until

from relay.clock import RandomIds, SystemClock
from relay.rules import dialect
from relay.rules.contract import TFE
from relay.rules.types import Kind
from relay.store import Store, StoreSettings
from relay.store.edits.incoming import Accepting, AcceptRules
from relay.store.file import engine
from relay.store.file.transaction import Transaction
from relay.store.intake import accepting

if TYPE_CHECKING:
    from collections.abc import Iterable

LOAD = Path(__file__).with_name("load.py")
RULES = AcceptRules(TFE, "userName", max_pending=10_000_000, patience=0)


async def load(port: int, kind: str, **options: Any) -> dict[str, Any]:
    """Run the load generator in a process of its own; what it measured."""
    words = [f"--{name}={value}" for name, value in options.items()]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(LOAD), kind, f"--port={port}", f"--token={TOKEN}", *words),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return json.loads(output)


async def serving(config: Path) -> RelayProcess:
    """A relay in a process of its own, its import done."""
    relay = RelayProcess(config)
    await relay.start()
    async with Idp(relay.base) as idp:

        async def imported() -> bool:
            return (await idp.get("/Users?count=0")).status == 200

        await until(imported)
    return relay


def percentile(values: Iterable[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def commit_ms(folder: Path, commits: int = 200) -> float:
    """The disk's p50 COMMIT of one accepted creation, `synchronous=FULL`, in milliseconds."""
    connection = engine.open_writer(folder / "commits.db")
    times = []
    for number in range(commits):
        connection.execute("BEGIN IMMEDIATE")
        tx = Transaction(connection, time.time(), RandomIds())
        accepting.accept(
            tx, Accepting("idp", dialect.parse_create(Kind.USER, person(number))), RULES
        )
        began = time.perf_counter()
        connection.execute("COMMIT")
        times.append(time.perf_counter() - began)
    connection.close()
    return round(percentile(times, 0.5) * 1000, 2)


class Unobserved:
    def committed(self, operations: int, seconds: float, /) -> None:
        """Seeding is not measured."""


async def seed(database: Path, count: int, batch: int = 2_000) -> None:
    """Accept `count` creations through the store itself, in large transactions without fsync."""
    settings = StoreSettings(database, RULES, synchronous="OFF")
    store = Store(settings, SystemClock(), RandomIds(), Unobserved(), lambda _metric, _label: None)
    await store.start()
    # A gigabyte of pages here, in the process that seeds; the relay that is measured has its own.
    await store.run(lambda tx: tx.connection.execute("PRAGMA cache_size = -1000000"))

    def accept(first: int) -> Any:
        def operation(tx: Any) -> None:
            for number in range(first, min(first + batch, count)):
                write = dialect.parse_create(Kind.USER, person(number))
                accepting.accept(tx, Accepting("idp", write), RULES)

        return operation

    try:
        for first in range(0, count, batch):
            await store.run(accept(first))
    finally:
        store.stop()


def person(number: int) -> dict[str, Any]:
    """A user as an identity provider sends one; every one differs."""
    name = f"seed{number}@example.com"
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "externalId": f"seed-{number}",
        "active": True,
        "displayName": f"Seed {number}",
        "emails": [{"primary": True, "type": "work", "value": name}],
        "name": {"givenName": "Seed", "familyName": str(number)},
    }
