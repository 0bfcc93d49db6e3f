"""I2: kill -9 at statement N of the relay's writer, for every N, and a look at what is left.

Run as a program: each play is a process of its own, forked from this one while it has a single
thread. The stand-in dies with its relay; its journal of requests is played to a new one, so that the
restarted relay meets a TFE that did all that was sent, though nobody heard the answers.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from instruments.points import Points, Request, died, forked, watched
from support.history import Player
from support.world import CountedIds, MemoryTarget, World, run_virtually

from relay.store.file import engine, migrating
from relay.store.operate.pruning import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS: list[tuple[Any, ...]] = [
    ("create_user", "ann", True, "e1"),
    ("create_user", "bob", True, None),
    ("create_group", "cy", (0, 1)),
    ("pass", 1.5),
    ("rename_user", 0, "cy"),
    ("remove_members", 0, (1,)),
    ("deactivate", 1),
    ("pass", 1.5),
    ("delete_user", 1),
    ("rename_group", 0, "bob"),
    ("pass", 1.5),
    ("prune",),
]
"""Every kind of accept, of claim and of settle, delivered between; then history goes."""
LATER_S = 1000.0
"""The restarted relay's clock goes on where the dead one's may have been."""


class PruningPlayer(Player):
    """Lets history go as well."""

    async def prune(self) -> None:
        at, done = Cursor(), False
        before = await self.world.store.horizon(0.5)
        while not done:
            batch = await self.world.store.prune(before, at)
            at, done = batch.at, batch.done


class JournalledTarget(MemoryTarget):
    """Notes each request before TFE gets its first byte."""

    def __init__(self, world: World, note: Callable[..., None]) -> None:
        super().__init__(world.tfe)
        self._note = note

    async def send(self, request: Any, attempt_id: str, departing: Any, /) -> Any:
        self._note("sent", attempt_id, request.method, request.path, request.body)
        return await super().send(request, attempt_id, departing)


def played(
    folder: Path, at: int | None, steps: list[tuple[Any, ...]] = STEPS
) -> tuple[int, list[Any]]:
    """Play the steps in this process, to its death at point `at`; points and folds."""
    folds: list[Any] = []
    points = Points(at)
    with (folder / "journal").open("ab", buffering=0) as journal:

        def note(*what: Any) -> None:
            journal.write(json.dumps(what).encode() + b"\n")

        async def main() -> None:
            world = World(folder / "relay.db")
            world.target = JournalledTarget(world, note)
            await world.start()
            world.store._writer._observer = points
            world.store._writer._connection.set_trace_callback(points.point)
            player = PruningPlayer(world)
            for step in steps:
                note("begun", step[0])
                folds.append(player.expected())
                await player.play([step])
                note("done", len(folds))
            folds.append(player.expected())
            world.store._writer._connection.set_trace_callback(None)
            await world.stop()

        run_virtually(main)
    return points.passed, folds


def survey(folder: Path, folds: list[Any]) -> None:
    """Assert all that must hold of a database whose relay was killed, and of its next life."""
    lines = [json.loads(line) for line in (folder / "journal").read_bytes().splitlines()]
    done = max([line[1] for line in lines if line[0] == "done"], default=0)
    sent = [line[1:] for line in lines if line[0] == "sent"]
    with sqlite3.connect(folder / "relay.db") as left:
        assert left.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        known = {str(ident) for (ident,) in left.execute("SELECT id FROM attempt")}
    left.close()
    pruned = ["begun", "prune"] in lines  # from then on rows go, as they should
    numbers = [attempt for attempt, *_ in sent if attempt.isdecimal()]
    missing = [] if pruned else [attempt for attempt in numbers if attempt not in known]
    assert not missing, f"sent, and no row tells of it (D1): {missing}"

    async def main() -> None:
        world = World(folder / "relay.db")
        for attempt, method, path, body in sent:
            await MemoryTarget(world.tfe).send(Request(method, path, body), attempt, lambda: None)
        world.ids = CountedIds("again")
        await asyncio.sleep(LATER_S)
        await world.start()
        await world.settled()
        counters = await world.counters()
        await world.stop()
        allowed = folds[done : done + 2]
        assert Player(world).held() in allowed, (done, Player(world).held(), allowed)
        assert counters["accepted"] == counters["delivered"], counters

    run_virtually(main)


def killed_at(point: int, folds: list[Any]) -> bool:
    """Kill a play at this point and survey what is left; False if it ended before."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        if not died(forked(lambda: played(folder, point)), f"point {point}"):
            return False
        survey(folder, folds)
        return True


def migrated(path: Path, at: int | None) -> None:
    """Open a database of an earlier schema in this process, to its death at statement `at`."""
    with watched(Points(at)):
        migrating.secure(path)
        engine.open_writer(path).close()


def killed_while_migrating(old: bytes, point: int) -> bool:
    """Kill a migration at this statement, and open what is left; False if it ended before."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        path = Path(name) / "relay.db"
        path.write_bytes(old)
        status = forked(lambda: migrated(path, point))
        migrated(path, None)
        with sqlite3.connect(path) as left:
            assert left.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            assert left.execute("SELECT name FROM resource").fetchall() == [("ada@x.org",)]
            left.execute("SELECT part FROM member")
            left.execute("SELECT undo FROM change")
        left.close()
        return died(status, f"point {point}")


def kill_migrations(path: Path) -> None:
    """Kill the migration of this database at each of its statements."""
    old, kills = path.read_bytes(), 0
    while killed_while_migrating(old, kills + 1):
        kills += 1
    print(json.dumps({"kills": kills}))


def main(part: int, parts: int) -> None:
    """Kill at every `parts`-th point, from `part` on, until a play ends."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        points, folds = played(Path(name), None)
    kills = 0
    for point in range(part + 1, points + 1, parts):
        assert killed_at(point, folds), f"point {point} of {points} was not reached"
        kills += 1
    assert not killed_at(points + 1, folds)
    print(json.dumps({"points": points, "kills": kills}))


if __name__ == "__main__":
    if sys.argv[1] == "migrate":
        kill_migrations(Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]), int(sys.argv[2]))
