"""Writes a database as this release leaves it: `python tests/golden/make.py 0.1.db.gz`, tests/ on the path.

One is kept for each release from the first on (L7); it is never made anew afterwards.
"""

import asyncio
import gzip
import sqlite3
import sys
import tempfile
from pathlib import Path

from support.idp import add, deactivate
from support.lab import lab_in

from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match

HERE = Path(__file__).parent


async def make(target):
    """People, a group, something delivered, pending, parked and deleted."""
    with tempfile.TemporaryDirectory() as folder:
        async with lab_in(Path(folder)) as lab:
            refusal = Fault(kind=FaultKind.STATUS, status=422, detail="no")
            lab.tfe.faults.add(refusal, Match(method="POST", body="refused", count=None))
            ada, bob, eve = [
                await lab.user(f"{name}@example.com") for name in ("ada", "bob", "eve")
            ]
            crew = await lab.group("Crew", ada, bob)
            await lab.user("refused@example.com")
            await lab.run()
            await lab.delete(Kind.USER, eve)
            await lab.run()
            await lab.patch(Kind.USER, bob, deactivate())
            await lab.edit(ada, externalId="e-1")
            late = await lab.user("late@example.com")
            await lab.patch(Kind.GROUP, crew, add(late))
        with sqlite3.connect(Path(folder) / "lab.db") as made:
            made.execute("VACUUM INTO ?", (f"{folder}/packed.db",))
        made.close()
        pack(Path(folder, "packed.db"), target)


def pack(path, target):
    """Compress it: most of it is ballast."""
    target.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


if __name__ == "__main__":
    asyncio.run(make(HERE / sys.argv[1]))
