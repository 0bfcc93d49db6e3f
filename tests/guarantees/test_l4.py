"""L4: a database that is damaged, truncated, newer, missing or emptied is refused, never replaced by a new one."""

import os
import sqlite3
from contextlib import closing

import pytest
from sqlite_utils import Database
from support.relays import relay_for, typed

from relay.errors import StoreRefused
from relay.store.file import engine
from relay.store.file.migrations import migrations

FAST = {"rate": 100}


async def used(sim, folder):
    """A database with two users and a group, all delivered."""
    async with relay_for(sim, folder, target=FAST) as relay:
        people = [await relay.idp.create_user(f"user{number}@x.org") for number in range(2)]
        crew = await relay.idp.create_group("Crew", people[0])
        await relay.settled()
    return people, crew


@pytest.mark.parametrize("size", [None, 0])
async def test_a_missing_or_emptied_database_is_refused(unlimited, tmp_path, size):
    await used(unlimited, tmp_path)
    database = tmp_path / "relay.db"
    database.unlink()
    if size is not None:
        database.touch()
    with pytest.raises(StoreRefused, match="it held a queue before"):
        async with relay_for(unlimited, tmp_path):
            raise AssertionError("it began anew")
    code, shown = await typed(tmp_path, "serve")
    assert code == 4
    assert "relay.db.lock to begin anew" in shown


async def test_one_flipped_byte_in_any_of_its_pages_is_noticed_or_harmless(unlimited, tmp_path):
    await used(unlimited, tmp_path)
    database = tmp_path / "relay.db"
    whole = database.read_bytes()
    refused = 0
    for page in range(0, len(whole), 4096 * 8):
        database.write_bytes(whole[:page] + bytes([whole[page] ^ 0xFF]) + whole[page + 1 :])
        try:
            async with relay_for(unlimited, tmp_path) as relay:
                assert (await relay.counters())["accepted"] == 3
        except StoreRefused:
            refused += 1
        for leftover in tmp_path.glob("relay.db-*"):
            leftover.unlink()
    assert refused > 0


async def test_a_truncated_database_is_refused(unlimited, tmp_path):
    await used(unlimited, tmp_path)
    database = tmp_path / "relay.db"
    database.write_bytes(database.read_bytes()[: 4096 * 20])
    with pytest.raises(StoreRefused, match="keep the file"):
        async with relay_for(unlimited, tmp_path):
            raise AssertionError("it opened a part of itself")


async def test_a_database_of_a_newer_release_is_refused(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        await relay.store.run(
            lambda tx: tx.run(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
                " VALUES ('scim-relay', '9999_later', 'tomorrow')"
            )
        )
    with pytest.raises(StoreRefused, match="a newer relay wrote it \\(9999_later\\)"):
        async with relay_for(unlimited, tmp_path):
            raise AssertionError("it opened what it does not understand")


def test_a_first_start_that_died_before_its_tables_were_made_is_no_other_programs(tmp_path):
    path = tmp_path / "relay.db"
    with closing(engine.open_plain(path)) as begun:
        migrations.ensure_migrations_table(Database(begun))
    with closing(engine.open_writer(path)) as made:
        assert made.execute("SELECT count(*) FROM resource").fetchone() == (0,)


def damaged(path):
    data = bytearray(path.read_bytes())
    for page in range(1, len(data) // 4096):
        data[page * 4096] ^= 0xFF
    path.write_bytes(data)


def of_another_program(path):
    path.unlink()
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE theirs (id INTEGER)")
    made.close()


def of_a_newer_relay(path):
    with sqlite3.connect(path) as made:
        made.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('scim-relay', '9999_later', 'tomorrow')"
        )
        made.execute("PRAGMA journal_mode = DELETE")
    made.close()


FILES = {
    "of a newer relay": (of_a_newer_relay, "a newer relay wrote it (9999_later); install that"),
    "damaged": (damaged, "scim-relay salvage"),
    "truncated": (lambda path: os.truncate(path, 4096 * 20), "scim-relay salvage"),
    "no database": (lambda path: path.write_bytes(b"garbage " * 4096), "scim-relay salvage"),
    "of another program": (of_another_program, "it is another program's database"),
    "missing": (lambda path: path.unlink(), "put a backup there"),
    "emptied": (lambda path: path.write_bytes(b""), "put a backup there"),
}


@pytest.mark.parametrize("what", FILES)
async def test_a_file_that_cannot_be_trusted_ends_serve_with_four_and_names_the_cure(
    unlimited, tmp_path, what
):
    await used(unlimited, tmp_path)
    spoil, cure = FILES[what]
    for leftover in ("-wal", "-shm"):
        (tmp_path / f"relay.db{leftover}").unlink(missing_ok=True)
    spoil(tmp_path / "relay.db")
    left = {path.name: path.read_bytes() for path in tmp_path.glob("relay.db")}

    code, shown = await typed(tmp_path, "serve")

    assert (code, cure in shown) == (4, True), shown
    assert {path.name: path.read_bytes() for path in tmp_path.glob("relay.db")} == left
