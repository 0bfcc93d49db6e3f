"""The verbs that operators give, for I2: a row each, with what makes it worth giving.

`kill_at_verb.py` kills the process at the points of one of them.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from instruments.stage import ACTOR, WHY, Stage

from relay.errors import RelayError, StoreRefused
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.file import backing_up
from relay.store.file.salvaging import salvage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

SECRETIVE = "dee@x.org"
"""Who is erased."""
HELD = "SELECT resource, key FROM effect WHERE held_by IS NOT NULL"


@dataclass(frozen=True)
class Verb:
    """One verb.

    Attributes:
        prepare: what is there before.
        order: the verb itself; given again in the next life.
        audited: what the audit log says of it, as SQL.
        done: what there is of it in the other tables, as SQL: the same rows.
        put: with the relay stopped, before it is given.
        survey: more that must hold of the files of the next life, before it is given again.
        finish: the same, after it was.
        leaves: what a death may leave until the verb is given again.
    """

    prepare: Callable[[Stage], Awaitable[None]]
    order: Callable[[Stage], Awaitable[Any]]
    audited: str = "SELECT 1 WHERE 0"
    done: str = "SELECT 1 WHERE 0"
    put: Callable[[Path], None] = lambda _folder: None
    survey: Callable[[Stage], None] = lambda _stage: None
    finish: Callable[[Stage], None] = lambda _stage: None
    leaves: tuple[str, ...] = ()


def of(route: str, **arguments: Any) -> Callable[[Stage], Awaitable[Any]]:
    """A verb that is one order over the control socket."""

    async def order(stage: Stage) -> None:
        await stage.order(route, **arguments)

    return order


# --- what is there before --------------------------------------------------------------------


async def staffed(stage: Stage, users: int = 6) -> None:
    """People in two groups, all delivered."""
    for number in range(users):
        await stage.play.create_user(f"u{number}", True, f"e{number}")
    await stage.play.create_group("crew", tuple(range(users)))
    await stage.play.create_group("ops", (0, 1))
    await stage.settled()


async def purged(stage: Stage) -> None:
    """Deactivations, removals and a deletion are held; one person is in several of them."""
    await staffed(stage)
    for number in range(5):
        await stage.play.deactivate(number)
    await stage.play.remove_members(0, (0, 1, 2, 3))
    await stage.play.remove_members(1, (0,))
    await stage.play.delete_user(5)
    await stage.settled()


async def refused(stage: Stage) -> None:
    """Creations and edits are parked, and what depends on them."""
    await staffed(stage, 2)
    no = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    stage.tfe.faults.add(no, Match(method="POST", body="bad", count=None))
    stage.tfe.faults.add(no, Match(method="PATCH", body="worse", count=None))
    for number in range(3):
        await stage.play.create_user(f"bad{number}", True, None)
    await stage.play.create_group("late", (2, 3))
    await stage.play.rename_user(0, "worse")
    await stage.play.rename_group(0, "worse")
    await stage.settled()
    stage.tfe.faults.clear()


async def paused(stage: Stage) -> None:
    """Writes of every kind wait."""
    await staffed(stage, 4)
    await stage.order("pause")
    await stage.play.create_user("new", True, None)
    await stage.play.deactivate(0)
    await stage.play.rename_user(1, "other")
    await stage.play.remove_members(0, (2,))
    await stage.play.delete_user(3)
    await stage.settled()


async def departed(stage: Stage) -> None:
    """Somebody is gone whom others' rows still quote."""
    await staffed(stage, 2)
    await stage.play.create_user("dee", True, "e9")
    await stage.play.add_members(0, (2,))
    await stage.settled()
    await stage.play.rename_user(2, "dee2")
    await stage.play.rename_user(2, "dee")
    await stage.settled()
    await stage.play.delete_user(2)
    await stage.settled()


async def wiped(stage: Stage) -> None:
    """TFE has some of it, under other ids, and somebody nobody knows."""
    await staffed(stage, 4)
    kept = list(stage.tfe.directory.users)[:2]
    stage.tfe.directory.wipe()
    for one in kept:
        stage.tfe.directory.create_user(one.fields)
    await stage.play.deactivate(0)
    await stage.world.pass_time(5.0)
    assert "foreign" in {hold.name for hold in stage.world.holds.standing}


async def replaced(stage: Stage) -> None:
    """TFE was changed by hand while nothing is sent."""
    await staffed(stage, 4)
    await stage.order("pause")
    directory = stage.tfe.directory
    for one in list(directory.users)[2:]:
        directory.delete_user(one.stamp.id)


async def copied(stage: Stage) -> None:
    """The database is a copy from before the last revocations."""
    await staffed(stage, 4)
    backing_up.copy(stage.folder / "relay.db", stage.folder / "old", 1_700_000_000.0)
    await stage.play.deactivate(0)
    await stage.play.remove_members(0, (1,))
    await stage.play.delete_user(3)
    await stage.settled()


def put_back(folder: Path) -> None:
    (folder / "old").rename(folder / "relay.db")


# --- verbs that are more than one order ------------------------------------------------------


async def rebuilt(stage: Stage, *, rebind: bool = False) -> None:
    """Order it unless it was begun, and see it through."""
    if await stage.world.rebuilder.state() is None:
        await stage.order("rebuild", rebind=rebind)
    for _ in range(60):
        await stage.world.pass_time(1.0)
        at = await stage.world.rebuilder.state()
        foreign = "foreign" in {hold.name for hold in stage.world.holds.standing}
        if at is not None and at.done and not foreign:
            return
    raise AssertionError("the rebuild never ended")


async def rebound(stage: Stage) -> None:
    """The directory becomes what TFE has, and sending goes on."""
    await rebuilt(stage, rebind=True)
    await stage.order("resume", hold="operator")


def restored(keep: str) -> Callable[[Stage], Awaitable[None]]:
    async def order(stage: Stage) -> None:
        await stage.world.importer.run()
        await stage.order("resume", hold="restored", keep=keep)

    return order


async def rotated(stage: Stage) -> None:
    """Order it unless the audit log says that it was done."""
    query = "SELECT 1 FROM audit WHERE event = 'token rotated'"
    if await stage.store.run(lambda tx: tx.one(query)) is None:
        await stage.rotation.rotate(f"{ACTOR}: {WHY}")


async def backed_up(stage: Stage) -> None:
    await stage.order("backup", file=str(stage.folder / "copy.db"))


async def salvaged(stage: Stage) -> None:
    salvage(stage.folder / "damaged.db", stage.folder / "saved.db", 1_700_000_000.0)


def damaged(folder: Path) -> None:
    shutil.copyfile(folder / "relay.db", folder / "damaged.db")
    with (folder / "damaged.db").open("r+b") as file:
        file.seek(30 * 4096)
        file.write(b"\xa5" * 4096)


# --- what must hold of files ------------------------------------------------------------------


def token_works(stage: Stage) -> None:
    assert stage.token in stage.tfe.access.live_tokens(), "nobody has a token that works"


def nobody_quoted(stage: Stage) -> None:
    """Once the audit log says that somebody was erased, no file has a byte of them."""
    for file in stage.folder.iterdir():
        if file.is_file() and file.name != "journal":
            assert SECRETIVE.encode() not in file.read_bytes(), file.name


def whole(name: str) -> Callable[[Stage], None]:
    """A copy is whole, or is not there."""

    def look(stage: Stage) -> None:
        if (stage.folder / name).exists():
            assert backing_up.verify(stage.folder / name).problems == ()

    return look


EXPECTED = (RelayError, StoreRefused)
"""What a verb that was done says when it is given again."""

APPROVED = {
    "audited": "SELECT resource, what ->> '$.key' FROM audit WHERE event = 'approved'",
    "done": "SELECT resource, key FROM revocation WHERE approved = 1"
    " AND EXISTS (SELECT 1 FROM audit WHERE event = 'approved')",
}
REJECTED = {
    "audited": "SELECT resource, what ->> '$.key' FROM audit WHERE event = 'rejected'",
    "done": "SELECT resource, key FROM rejected",
}
DROPPED = {
    "audited": "SELECT change FROM audit WHERE event = 'dropped' AND actor LIKE 'ada%'",
    "done": "SELECT id FROM change WHERE state = 'dropped'",
}
GIVEN = {
    "audited": "SELECT resource FROM audit WHERE event = 'transferred'",
    "done": "SELECT id FROM resource WHERE given_to = 'heir'",
}
PARKED = {"state": "parked"}
NAMES = tuple(f"u{number}@x.org" for number in range(5))

VERBS: dict[str, Verb] = {
    "approve": Verb(purged, of("holds/approve", all=True), **APPROVED),
    "approve-person": Verb(purged, of("holds/approve", person="u0@x.org"), **APPROVED),
    "reject": Verb(purged, of("holds/reject", all=True), **REJECTED),
    "reject-person": Verb(purged, of("holds/reject", person="u0@x.org"), **REJECTED),
    "retry": Verb(
        refused,
        of("changes/retry", **PARKED),
        "SELECT change FROM audit WHERE event = 'retried'",
        "SELECT change FROM audit WHERE event = 'parked' AND change IN"
        " (SELECT id FROM change WHERE state <> 'parked')",
    ),
    "drop": Verb(refused, of("changes/drop", **PARKED), **DROPPED),
    "drop-pending": Verb(paused, of("changes/drop", state="pending"), **DROPPED),
    "transfer": Verb(
        staffed, of("connections/transfer", **{"from": "idp"}, to="heir", all=True), **GIVEN
    ),
    "transfer-named": Verb(
        staffed,
        of("connections/transfer", **{"from": "idp"}, to="heir", users=list(NAMES)),
        **GIVEN,
    ),
    "erase": Verb(departed, of("erase", user=SECRETIVE), finish=nobody_quoted),
    "rebuild": Verb(wiped, rebuilt),
    "rebind": Verb(replaced, rebound),
    "keep-target": Verb(copied, restored("target"), put=put_back),
    "keep-directory": Verb(copied, restored("directory"), put=put_back),
    "rotate": Verb(staffed, rotated, survey=token_works, finish=token_works),
    "audit": Verb(refused, lambda stage: stage.pruned()),
    "drain": Verb(staffed, of("drain")),
    "backup": Verb(staffed, backed_up, survey=whole("copy.db"), finish=whole("copy.db")),
    "salvage": Verb(
        staffed,
        salvaged,
        put=damaged,
        survey=whole("saved.db"),
        finish=whole("saved.db"),
        leaves=("saved.db.part", "saved.db.part-journal", ".saved.db.salvage"),
    ),
}
