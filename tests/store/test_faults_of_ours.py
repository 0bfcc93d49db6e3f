"""A fault of the relay stops the lane it is in, is counted, and parks what it is about (D5, L5)."""

import sqlite3

import pytest
from support.idp import deactivate, patch_body, user
from support.world import World, run_virtually

from relay.errors import Unavailable
from relay.rules import dialect
from relay.rules.shadow import from_target
from relay.rules.types import Kind
from relay.simulator import Fault, FaultKind, Match
from relay.store.compare.importing import ImportState
from relay.store.deliver.recovering import MAX_DEATHS
from relay.store.file.engine import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    is_trouble,
    open_plain,
)

HOUR_S = 3600.0


def virtually(tmp_path, play):
    """Play in a world of its own, whose unexpected errors are counted."""

    async def main():
        world = World(tmp_path / "relay.db")
        await world.start()
        world.faults = 0

        def counted(metric, _label):
            world.faults += metric == "unexpected"

        world.store._counted = counted
        try:
            await play(world)
        finally:
            await world.stop()

    run_virtually(main)


async def create(world, name):
    write = dialect.parse_create(Kind.USER, user(name))
    return await world.store.directory.accept("idp", write, None)


async def suspend(world, accepted):
    write = dialect.parse_patch(Kind.USER, patch_body(deactivate()))
    return await world.store.directory.accept("idp", write, accepted.resource.public_id)


async def give_id(world, accepted):
    write = dialect.parse_patch(
        Kind.USER, patch_body({"op": "replace", "path": "externalId", "value": "e-9"})
    )
    return await world.store.directory.accept("idp", write, accepted.resource.public_id)


async def execute(world, sql, *parameters):
    await world.store.run(lambda tx: tx.run(sql, parameters))


async def states(world):
    return dict(await world.store.run(lambda tx: tx.all("SELECT id, state FROM change")))


def names(world):
    return {one.fields.user_name for one in world.tfe.directory.users}


async def not_delivered(world, resource):
    """No change of this resource can be recorded as delivered: a constraint stands against it."""
    await execute(
        world,
        "CREATE TRIGGER fault BEFORE UPDATE ON change WHEN new.state = 'delivered'"
        f" AND new.resource = {resource} BEGIN SELECT raise(ABORT, 'a constraint'); END",
    )


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("INSERT INTO hold VALUES ('x', NULL, NULL, 'x')", IntegrityError),
        ("SELECT * FROM nowhere", OperationalError),
        ("SELEC", OperationalError),
        ("SELECT ?", DatabaseError),
    ],
)
def test_what_no_repetition_cures_is_no_trouble_of_the_disk(tmp_path, sql, error):
    async def play(world):
        with pytest.raises(error):
            await execute(world, sql)

        assert (await world.counters())["accepted"] == 0

    virtually(tmp_path, play)


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
        (sqlite3.SQLITE_IOERR_FSYNC, True),
        (sqlite3.SQLITE_INTERRUPT, True),
        (sqlite3.SQLITE_CORRUPT, True),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, False),
        (sqlite3.SQLITE_ERROR, False),
        (sqlite3.SQLITE_MISMATCH, False),
        (None, False),
    ],
)
def test_trouble_of_the_disk_is_told_by_its_code(code, trouble):
    error = OperationalError("whatever it says: disk full")
    if code is not None:
        error.sqlite_errorcode = code

    assert is_trouble(error) is trouble


def test_a_reader_tells_a_fault_of_ours_from_the_disk(tmp_path):
    async def play(world):
        with pytest.raises(OperationalError):
            await world.store._reader.submit(lambda connection: connection.execute("SELEC"))
        with pytest.raises(Unavailable):
            await world.store._reader.submit(lambda connection: connection.execute("VACUUM"))

        assert (await world.counters())["accepted"] == 0

    virtually(tmp_path, play)


def test_a_locked_file_is_trouble_that_passes(tmp_path):
    async def play(world):
        other = open_plain(tmp_path / "relay.db")
        await execute(world, "PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await execute(world, "DELETE FROM hold")
        other.execute("ROLLBACK")
        other.close()
        await execute(world, "DELETE FROM hold")

    virtually(tmp_path, play)


def test_a_lane_that_cannot_be_planned_stops_nobody_else_and_is_parked(tmp_path):
    async def play(world):
        world.tfe.pause()
        await create(world, "warm@example.com")
        await world.pass_time(3.0)
        bad = await create(world, "bad@example.com")
        await execute(world, "UPDATE resource SET shadow = '{\"a' WHERE id = ?", bad.resource.row)
        for number in range(20):
            await create(world, f"user{number}@example.com")
        world.tfe.resume()
        await world.pass_time(HOUR_S)

        assert len(names(world)) == 21
        assert (await states(world)).pop(bad.change) == "parked"
        assert (await world.counters())["delivered"] == 21
        assert world.faults == 3

    virtually(tmp_path, play)


def test_a_result_that_cannot_be_recorded_stops_nobody_else_and_is_parked(tmp_path):
    async def play(world):
        ada = await create(world, "ada@example.com")
        await world.settled()
        await not_delivered(world, ada.resource.row)
        changed = await give_id(world, ada)
        for number in range(20):
            await create(world, f"user{number}@example.com")
        await world.pass_time(HOUR_S)

        assert len(names(world)) == 21
        assert (await states(world)).pop(changed.change) == "parked"
        assert (await world.counters())["pending"] == 0
        assert world.faults == 3

    virtually(tmp_path, play)


def test_a_revocation_whose_result_cannot_be_recorded_stays_owed_until_it_can(tmp_path):
    async def play(world):
        ada = await create(world, "ada@example.com")
        await world.settled()
        await not_delivered(world, ada.resource.row)
        revoked = await suspend(world, ada)
        await world.pass_time(HOUR_S)

        assert (await states(world))[revoked.change] == "pending"
        await execute(world, "DROP TRIGGER fault")
        await world.settled()
        assert (await states(world))[revoked.change] == "delivered"
        [one] = world.tfe.directory.users
        assert not one.fields.active

    virtually(tmp_path, play)


def test_a_creation_whose_result_cannot_be_recorded_is_not_sent_again(tmp_path):
    async def play(world):
        await execute(
            world,
            "CREATE TRIGGER fault BEFORE UPDATE ON change WHEN new.state = 'delivered'"
            " BEGIN SELECT raise(ABORT, 'a constraint'); END",
        )
        ada = await create(world, "ada@example.com")
        await world.pass_time(60.0)
        await execute(world, "DROP TRIGGER fault")
        await world.settled()

        assert (await states(world))[ada.change] == "delivered"
        assert len(world.tfe.directory.users) == 1
        methods = await world.store.run(lambda tx: tx.all("SELECT method FROM attempt"))
        assert methods.count(("POST",)) == 1

    virtually(tmp_path, play)


def test_a_lane_of_which_not_even_the_fault_can_be_recorded_rests_and_recovers(tmp_path):
    async def play(world):
        ada = await create(world, "ada@example.com")
        await world.settled()
        changed = await suspend(world, ada)
        kept = await world.store.run(
            lambda tx: tx.value("SELECT writes FROM change WHERE id = ?", (changed.change,))
        )
        await execute(world, "UPDATE change SET writes = '{' WHERE id = ?", changed.change)
        for number in range(5):
            await create(world, f"user{number}@example.com")
        await world.pass_time(HOUR_S)
        assert len(names(world)) == 6
        before = world.target.sent
        await world.pass_time(HOUR_S)

        assert world.target.sent - before <= 8
        await execute(world, "UPDATE change SET writes = ? WHERE id = ?", kept, changed.change)
        await world.settled()
        assert (await states(world))[changed.change] == "delivered"

    virtually(tmp_path, play)


def in_tfe(number, name):
    found = {
        "id": f"tfe-{number}",
        "userName": name,
        "active": True,
        "emails": [{"value": f"{number}@example.com", "primary": True}],
    }
    return from_target(Kind.USER, found)


def test_a_resource_that_cannot_be_imported_is_left_out_alone(tmp_path):
    async def play(world):
        await execute(
            world,
            "CREATE TRIGGER fault BEFORE INSERT ON alias WHEN new.id = 'tfe-2'"
            " BEGIN SELECT raise(ABORT, 'a constraint'); END",
        )
        page = [in_tfe(number, f"user{number}@example.com") for number in range(5)]
        after = await world.store.take_page(ImportState(), page, 5, 0.0)
        imported = await world.store.run(lambda tx: tx.all("SELECT name FROM resource"))

        assert after.seen == 5
        assert imported == [(f"user{number}@example.com",) for number in (0, 1, 3, 4)]
        assert world.faults == 1

    virtually(tmp_path, play)


def test_a_part_that_fails_tells_nothing_of_what_it_did(tmp_path):
    async def play(world):
        def second(tx):
            with tx.apart():
                tx.outbox.counted.append(("unexpected", "second"))
                tx.run("INSERT INTO meta VALUES ('second', '1')")
                raise ValueError("second")

        def two_parts(tx):
            with tx.apart():
                tx.outbox.counted.append(("unexpected", "first"))
                tx.run("INSERT INTO meta VALUES ('first', '1')")
            with pytest.raises(ValueError, match="second"):
                second(tx)
            return tx.all("SELECT key FROM meta WHERE key IN ('first', 'second')")

        assert await world.store.run(two_parts) == [("first",)]
        assert world.faults == 1

    virtually(tmp_path, play)


def test_a_lane_that_recovery_cannot_read_does_not_keep_the_relay_from_starting(tmp_path):
    async def play(world):
        ada = await create(world, "ada@example.com")
        await world.settled()
        world.tfe.faults.add(Fault(kind=FaultKind.SLOW_AFTER, delay_s=4.0), Match(method="PATCH"))
        await give_id(world, ada)
        await world.pass_time(1.0)
        await world.crash()
        file = open_plain(tmp_path / "relay.db")
        file.execute("UPDATE lane SET crashes = ?", (MAX_DEATHS,))
        assert file.execute("UPDATE change SET writes = '{' WHERE state = 'pending'").rowcount == 1
        file.close()
        await world.start()
        await create(world, "bob@example.com")
        await world.pass_time(60.0)

        assert "bob@example.com" in names(world)

    virtually(tmp_path, play)
