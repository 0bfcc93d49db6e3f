"""A newer release keeps a copy of the database before it changes the schema, or does not begin."""

import shutil
from contextlib import closing
from types import SimpleNamespace

import pytest
from sqlite_utils import Database
from support.lab import lab_in

from relay.errors import StoreRefused
from relay.store.file.engine import open_plain, open_reader
from relay.store.file.migrating import secure
from relay.store.file.migrations import migrations


@pytest.fixture
def old(tmp_path):
    """A database as the very first schema had it, with a user in it."""
    path = tmp_path / "lab.db"
    with closing(open_plain(path)) as made:
        migrations.apply(Database(made), stop_before="0002_drift")
        made.execute("PRAGMA journal_mode = WAL")
        made.execute(
            "INSERT INTO resource (kind, public_id, state, origin, name, name_key, active, email,"
            " shadow, created, modified) VALUES ('User', 'u-1', 'live', 'idp', 'ada@x.org',"
            """ 'ada@x.org', 1, 'ada@x.org', '{"userName":"ada@x.org"}', 1, 1)"""
        )
        made.execute("INSERT INTO alias VALUES ('u-1', 1)")
    return path


def tables(path):
    with closing(open_reader(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}


async def test_the_copy_is_of_the_old_schema_and_the_database_has_the_new_one(old, tmp_path):
    async with lab_in(tmp_path) as lab:
        found = await lab.store.run(lambda tx: tx.value("SELECT name FROM resource"))
        assert found == "ada@x.org"
    copy = tmp_path / "lab.db.before-0002_drift"
    assert "nest" in tables(old)
    assert "nest" not in tables(copy)
    assert copy.stat().st_mode & 0o777 == 0o600


async def test_a_relay_that_is_started_on_the_copy_waits_for_an_operator(old, tmp_path):
    secure(old)
    again = tmp_path / "again"
    again.mkdir()
    shutil.copy(tmp_path / "lab.db.before-0002_drift", again / "lab.db")
    async with lab_in(again) as lab:
        assert {hold.name.value for hold in await lab.store.holds()} == {"restored"}


async def test_without_the_room_for_a_copy_nothing_is_changed(old, tmp_path, monkeypatch):
    room = SimpleNamespace(free=old.stat().st_size)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: room)
    with pytest.raises(StoreRefused, match="make room"):
        async with lab_in(tmp_path):
            raise AssertionError("it was opened")
    assert "nest" not in tables(old)


def test_a_copy_of_an_earlier_try_is_kept(old, tmp_path):
    first = secure(old)
    written = first.read_bytes()
    with closing(open_plain(old)) as connection:
        connection.execute("UPDATE resource SET name = 'other'")
    assert secure(old) == first
    assert first.read_bytes() == written


def test_a_copy_of_an_earlier_upgrade_is_not_taken_for_one_of_this(old, tmp_path):
    def opened(times):
        with closing(open_plain(old)) as connection:
            known = f'{{"database": "d", "opened": {times}}}'
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('identity', ?)", (known,))

    opened(3)
    first = secure(old)
    written = first.read_bytes()
    shutil.copy(first, old)  # somebody goes back, and the old release accepts for weeks
    opened(4)
    second = secure(old)

    assert second.name == f"{first.name}.2"
    assert first.read_bytes() == written
    assert secure(old) == second


async def test_a_database_of_this_release_and_a_new_one_are_not_copied(tmp_path):
    for _ in range(2):
        async with lab_in(tmp_path):
            pass
    assert secure(tmp_path / "lab.db") is None
    assert not list(tmp_path.glob("*.before-*"))
