"""I2 for operators: kill -9 at every point of a verb, a look at what is left, the verb given again.

A verb is a row of `instruments.operators`. Each life is a process, forked from this one while it has
a single thread. What is left must be whole, the audit log must say what was done and nothing else,
and once the verb was given again all must be as if nobody had died.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import structlog
from instruments.operators import EXPECTED, VERBS, Verb
from instruments.points import Points, died, forked, watched
from instruments.stage import LIFE_S, Stage
from support.world import run_virtually

from relay.store.compare import drifting, rebuilding
from relay.store.file import backing_up, engine
from relay.store.operate import audit_pruning, giving, releasing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

SMALL = {
    releasing: ("BATCH", 3),
    giving: ("BATCH", 3),
    drifting: ("BATCH", 3),
    rebuilding: ("BATCH", 2),
    audit_pruning: ("ROWS", 5),
}
"""Batches, so that a few rows are several of them."""
KEPT = {"relay.db", "relay.db.lock", "relay.db-wal", "relay.db-shm", "tfe-token", "journal"}
KEPT |= {"copy.db", "damaged.db", "saved.db", "old", "picture"}

BROKEN = {
    "a hold without its change": "SELECT e.resource, e.key FROM effect e WHERE e.held_by IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM change c WHERE c.id = e.last AND c.state = 'pending')",
    "a held effect without its trip": "SELECT resource, key FROM effect WHERE held_by LIKE"
    " 'budget of %' AND held_by NOT IN (SELECT 'budget of ' || connection FROM trip)",
    "a trip of which nothing is held": "SELECT connection FROM trip WHERE 'budget of ' || connection"
    " NOT IN (SELECT held_by FROM effect WHERE held_by IS NOT NULL)",
    "a pending change that waits for nothing": "SELECT id FROM change c WHERE state = 'pending'"
    " AND NOT EXISTS (SELECT 1 FROM effect e WHERE e.resource = c.resource AND e.first <= c.id"
    " AND e.last >= c.id AND e.state <> 'parked')",
    "an effect that no lane sends": "SELECT resource, key FROM effect WHERE state = 'open'"
    " AND resource NOT IN (SELECT resource FROM lane)",
    "something of nobody": "SELECT resource FROM effect WHERE resource NOT IN"
    " (SELECT id FROM resource) UNION SELECT resource FROM change WHERE resource NOT IN"
    " (SELECT id FROM resource)",
}
PICTURE = {
    "resources": "SELECT kind, name, state, given_to, size, active FROM resource ORDER BY id",
    "changes": "SELECT id, state FROM change ORDER BY id",
    "held": "SELECT resource, key FROM effect WHERE held_by IS NOT NULL ORDER BY 1, 2",
    "rejected": "SELECT resource, key, actor, reason FROM rejected ORDER BY 1, 2",
    "holds": "SELECT name FROM hold ORDER BY 1",
    "counters": "SELECT name, value FROM counter WHERE name <> 'requests' ORDER BY 1",
    "audit": "SELECT event, actor, change, resource, what ->> '$.key', count(*) FROM audit"
    " WHERE actor LIKE 'ada%' OR event IN ('imported', 'erased', 'guard lifted') GROUP BY 1, 2, 3,"
    " 4, 5 ORDER BY 1, 2, 3, 4, 5",
}


async def at_once(call: Callable[..., Any], *arguments: Any) -> Any:
    """For `asyncio.to_thread`: a fork has one thread, and virtual time would not wait for it."""
    return call(*arguments)


def lived(main: Callable[[], Awaitable[None]]) -> None:
    with patch.object(asyncio, "to_thread", at_once):
        run_virtually(main)


def prepared(verb: Verb, folder: Path) -> Any:
    """What is there before; TFE as it is then."""
    made: list[Stage] = []

    async def main() -> None:
        stage = Stage(folder)
        await stage.begin()
        await verb.prepare(stage)
        await stage.end()
        made.append(stage)

    lived(main)
    (folder / "journal").unlink()
    verb.put(folder)
    return made[0].tfe


def given(verb: Verb, folder: Path, tfe: Any, at: int | None) -> None:
    """Give the verb in this process, to its death at point `at`."""
    points = Points(at, is_open=False)
    points.in_files(folder)

    async def main() -> None:
        await asyncio.sleep(LIFE_S)
        stage = Stage(folder, tfe, "second")
        await stage.begin()
        points.is_open = True
        await verb.order(stage)
        points.point()
        points.is_open = False
        await stage.end()

    with watched(points):
        lived(main)
    (folder / "passed").write_text(str(points.passed))


def rows(path: Path, query: str) -> list[Any]:
    with closing(engine.open_reader(path)) as left:
        return left.execute(query).fetchall()


def intact(verb: Verb, folder: Path) -> None:
    """Assert all that must hold of the file that a death left."""
    path = folder / "relay.db"
    found = backing_up.verify(path)
    assert not found.problems, found.problems
    for what, query in BROKEN.items():
        assert rows(path, query) == [], what
    audited, done = sorted(rows(path, verb.audited)), sorted(rows(path, verb.done))
    assert audited == done, f"audited {audited}, done {done}"


def survey(verb: Verb, folder: Path, tfe: Any, whole: Any) -> None:
    """Assert what must hold after a death, and after the verb was given again."""
    if whole is not None:
        intact(verb, folder)

    async def main() -> None:
        await asyncio.sleep(2 * LIFE_S)
        stage = Stage(folder, tfe, "third")
        await stage.begin()
        try:
            seen = await again(verb, stage)
        finally:
            await stage.end()
        tidy(folder)
        intact(verb, folder)
        if whole is None:
            (folder / "picture").write_text(json.dumps(seen))
        for what in whole or ():
            assert seen[what] == whole[what], f"{what}: {seen[what]}, not {whole[what]}"

    lived(main)


async def again(verb: Verb, stage: Stage) -> Any:
    """Give the verb again; how things stand then, as JSON has it."""
    verb.survey(stage)
    await stage.upkeep()
    tidy(stage.folder, but=verb.leaves)
    with suppress(*EXPECTED):
        await verb.order(stage)
    await stage.settled()
    picture = {"tfe": stage.play.held(), "tokens": len(stage.tfe.access.live_tokens())}
    for what, query in PICTURE.items():
        picture[what] = await stage.store.run(lambda tx, query=query: tx.all(query))
    verb.finish(stage)
    return json.loads(json.dumps(picture))


def tidy(folder: Path, but: tuple[str, ...] = ()) -> None:
    left = {one.name for one in folder.iterdir()} - KEPT - {"passed", *but}
    assert not left, f"left over: {left}"


def died_at(verb: Verb, template: Path, tfe: Any, at: int | None, whole: Any) -> Any:
    """One death and what follows; False if it ended before, and then its points and picture."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name) / "relay"
        shutil.copytree(template, folder)
        dead = died(forked(lambda: given(verb, folder, tfe, at)), f"point {at}")
        died(forked(lambda: survey(verb, folder, tfe, whole)), f"the survey of point {at}")
        if dead:
            return None
        picture = whole or json.loads((folder / "picture").read_text())
        return int((folder / "passed").read_text()), picture


def killed(name: str, kills: int) -> dict[str, int]:
    """Kill a verb at about so many points, evenly; 0: at each."""
    verb = VERBS[name]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        template = Path(folder)
        tfe = prepared(verb, template)
        points, whole = died_at(verb, template, tfe, None, None)
        every = max(points // kills, 1) if kills else 1
        chosen = range(every, points + 1, every)
        for point in chosen:
            ended = died_at(verb, template, tfe, point, whole)
            assert ended is None, f"point {point} of {points} was not reached"
    return {"points": points, "kills": len(chosen)}


def main(kills: int, names: list[str]) -> None:
    """Kill these verbs, or all."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for module, (constant, value) in SMALL.items():
        setattr(module, constant, value)
    print(json.dumps({name: killed(name, kills) for name in names or VERBS}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
