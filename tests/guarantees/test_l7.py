"""L7: the databases of all releases open and go on; an older relay refuses a newer schema.

Unless the newer one only added what it may pass over, as it does for one minor release. That the schema of a newer release is refused by name: `test_l4`. Made by `tests/golden/make.py`.
"""

import gzip
import json
from pathlib import Path

import pytest
from sqlite_utils import Database
from support.audits import walked
from support.lab import lab_in

from relay.rules.types import Kind
from relay.store.file.engine import open_plain
from relay.store.file.migrations import PASSABLE, migrations
from relay.store.operate.listing import ChangeFilter

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.db.gz"))


def ids(path):
    file = open_plain(path)
    found = dict(file.execute("SELECT name, public_id FROM resource WHERE state = 'live'"))
    bound = dict(file.execute("SELECT name, target_id FROM resource WHERE target_id IS NOT NULL"))
    file.close()
    return found, bound


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.name)
async def test_a_database_of_an_earlier_release_opens_with_all_it_held_and_delivers_the_rest(
    golden, tmp_path
):
    path = tmp_path / "lab.db"
    path.write_bytes(gzip.decompress(golden.read_bytes()))
    known, bound = ids(path)
    async with lab_in(tmp_path) as lab:
        counters = await lab.counters()
        assert (counters["accepted"], counters["delivered"]) == (10, 5)
        assert (counters["parked"], counters["pending"]) == (1, 4)
        for name, kind in (("ada@example.com", Kind.USER), ("Crew", Kind.GROUP)):
            found = await lab.store.directory.get(kind, known[name], members=False)
            assert found.shadow[kind.name_attribute] == name
        assert len(await lab.members(known["Crew"])) == 3
        [parked] = await lab.store.changes(ChangeFilter(state="parked"))
        assert (parked["status"], parked["detail"]) == (422, "no")

        walk = await walked(lab.store)
        assert (walk.broken, walk.unchained, walk.entries > 0) == (None, 0, True)

        sent = [await lab.claim()]
        assert sent[0].request.path.endswith(bound["bob@example.com"])  # the revocation first
        assert "active" in str(sent[0].request.body)


def test_the_first_release_is_among_them():
    assert "0.1" in {path.name.removesuffix(".db.gz") for path in GOLDEN}


NEXT = (
    "ALTER TABLE resource ADD COLUMN later TEXT",
    "CREATE TABLE later (id INTEGER PRIMARY KEY, what TEXT)",
    "INSERT INTO later (what) VALUES ('of the next release')",
    "UPDATE resource SET later = 'kept'",
    "INSERT INTO _sqlite_migrations VALUES (99, 'scim-relay', '9999_later', 'tomorrow')",
)


async def test_what_the_next_release_added_is_passed_over_and_loses_nothing_of_either(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
        await lab.run()
    file = open_plain(tmp_path / "lab.db")
    for statement in NEXT:
        file.execute(statement)
    noted = json.loads(file.execute("SELECT value FROM meta WHERE key = 'passable'").fetchone()[0])
    file.execute(
        "UPDATE meta SET value = ? WHERE key = 'passable'", (json.dumps([*noted, "9999_later"]),)
    )
    file.close()

    for turn in range(2):  # and what it noted is still there for the start after this one
        async with lab_in(tmp_path) as lab:
            await lab.user(f"eve{turn}@example.com")
            await lab.edit(ada, externalId=f"e-{turn}")
            await lab.run()
            counters = await lab.counters()
            assert (counters["accepted"], counters["pending"]) == (3 + 2 * turn, 0)
    file = open_plain(tmp_path / "lab.db")
    assert file.execute("SELECT what FROM later").fetchall() == [("of the next release",)]
    [(kept,)] = file.execute("SELECT later FROM resource WHERE name = 'ada@example.com'")
    assert kept == "kept"
    file.close()


def columns_of(names):
    """Columns after these migrations, by table."""
    db = Database(memory=True)
    migrations.apply(db, stop_before=next(iter(names), None))
    return {table.name: {one.name: one for one in table.columns} for table in db.tables}


def test_what_may_be_passed_over_adds_and_takes_nothing_away():
    first = min(PASSABLE)
    before, after = columns_of([first]), columns_of([])
    for table, columns in before.items():
        for name, column in columns.items():
            assert after[table][name] == column, (table, name)
        for name in after[table].keys() - columns.keys():
            new = after[table][name]
            assert not new.notnull or new.default_value is not None, (table, name)
