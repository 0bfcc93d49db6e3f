"""A copy of everybody is whole under its name or nowhere: after a stop, and after a death."""

import asyncio
from contextlib import closing

import pytest
from support.idp import user
from support.lab import lab_in
from support.relays import asked

from relay.errors import RelayError, StoreRefused
from relay.ops.control import serve_control
from relay.orders.backup import Backup
from relay.store.file import backing_up, half_copies
from relay.store.file.engine import open_plain

LARGE = 20_000_000


async def test_a_stop_ends_a_large_backup_at_once_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(backing_up, "STEP_PAGES", 1)
    into = tmp_path / "copy.db"
    async with lab_in(tmp_path) as lab:
        await lab.store.run(
            lambda tx: tx.run("INSERT INTO ballast (filler) VALUES (zeroblob(?))", (LARGE,))
        )
        copying = asyncio.ensure_future(lab.store.desk.backup(into))
        half = half_copies.half_of(into)
        while not half.exists():  # noqa: ASYNC110 - begun in a thread, which must not get far
            await asyncio.sleep(0)
        copying.cancel()
        await asyncio.get_running_loop().shutdown_default_executor()

        assert half.exists() is into.exists() is False
        with pytest.raises(asyncio.CancelledError):
            await copying


async def test_who_ordered_a_backup_is_told_that_the_relay_stops(tmp_path):
    into = tmp_path / "copy.db"
    async with lab_in(tmp_path) as lab:
        orders = Backup(lab.store)
        orders.give_up()
        async with serve_control(tmp_path / "control.sock", orders.routes()):
            with pytest.raises(RelayError, match="the relay stops; try again"):
                await asked(tmp_path / "control.sock", "backup", file=str(into))

    assert list(tmp_path.glob("copy*")) == []


async def test_a_backup_that_was_given_up_says_so_and_leaves_nothing(tmp_path):
    into = tmp_path / "copy.db"
    async with lab_in(tmp_path) as lab:
        with pytest.raises(StoreRefused, match="the relay stops"):
            backing_up.copy(lab.store.path, into, 0.0, lambda: True)

    assert list(tmp_path.glob("copy*")) == []


async def test_writes_meanwhile_do_not_begin_a_backup_anew(tmp_path, monkeypatch):
    """SQLite begins a copy again whenever another connection commits between two steps."""
    monkeypatch.setattr(backing_up, "STEP_PAGES", 8)
    into = tmp_path / "copy.db"
    async with lab_in(tmp_path, threads=False) as lab:
        asked = []

        def written():
            asked.append(len(asked))
            lab.store._writer._connection.execute(
                "INSERT OR REPLACE INTO meta (key, value) VALUES ('test', ?)", (len(asked),)
            )
            assert len(asked) < 2_000
            return False

        backing_up.copy(lab.store.path, into, 0.0, written)

    assert len(asked) <= into.stat().st_size // 4096 // 8 + 3
    assert backing_up.verify(into).problems == ()


async def test_the_next_start_takes_away_what_a_death_left(tmp_path):
    into = tmp_path / "elsewhere" / "copy.db"
    into.parent.mkdir()
    async with lab_in(tmp_path) as lab:
        await lab.post(user("ada@example.com"))
        await lab.store.run(lambda tx: half_copies.begin(tx, into))
        half_copies.fresh(half_copies.half_of(into))
        for ending in (".part-wal", ".part-journal"):
            into.with_name(into.name + ending).touch()
        lab.store.path.with_name("lab.db.anew").touch()
    async with lab_in(tmp_path) as lab:
        noted = await lab.store.run(
            lambda tx: tx.all("SELECT key FROM meta WHERE key LIKE 'half copy%'")
        )

    assert (list(into.parent.iterdir()), noted) == ([], [])
    assert not list(tmp_path.glob("*.anew"))


async def test_what_cannot_be_removed_is_tried_at_the_next_start(tmp_path):
    into = tmp_path / "copy.db"
    async with lab_in(tmp_path) as lab:
        await lab.store.run(lambda tx: half_copies.begin(tx, into))
        half_copies.half_of(into).mkdir()
    async with lab_in(tmp_path):
        assert half_copies.half_of(into).exists()
    half_copies.half_of(into).rmdir()
    half_copies.fresh(half_copies.half_of(into))
    async with lab_in(tmp_path):
        assert not half_copies.half_of(into).exists()


async def test_a_copy_carries_no_note_of_itself(tmp_path):
    into = tmp_path / "copy.db"
    async with lab_in(tmp_path) as lab:
        await lab.store.desk.backup(into)
        left = await lab.store.run(lambda tx: tx.all("SELECT key FROM meta"))

    with closing(open_plain(into)) as copy:
        left += copy.execute("SELECT key FROM meta").fetchall()
    assert not [key for (key,) in left if key.startswith(half_copies.NOTE)]
