"""What a damaged database still holds is saved into a new one; the damaged one is left as it is."""

import sqlite3
from contextlib import closing

import pytest
from support.idp import add, deactivate, user
from support.lab import lab_in
from support.relays import relay_for, typed

from relay.errors import AlreadyRunning, StoreRefused
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.file.salvaging import salvage

PAGE = 4096
NOW = 1_700_000_000.0
COMPARED = ("resource", "alias", "member", "effect", "change", "attempt", "audit", "rejected")


@pytest.fixture
async def whole(tmp_path):
    """A database with users, groups, history, something parked and something pending."""
    async with lab_in(tmp_path) as lab:
        people = await lab.users(120)
        for number in range(6):
            await lab.group(f"Crew {number}", *people[number * 10 : number * 20 + 20])
        refusal = Fault(kind=FaultKind.STATUS, status=422, detail="no")
        lab.tfe.faults.add(refusal, Match(method="POST", body="refused", count=None))
        await lab.user("refused@example.com")
        await lab.run()
        for one in people[:30]:
            await lab.edit(one, externalId=f"e-{one}")
        await lab.patch(Kind.USER, people[40], deactivate())
    path = tmp_path / "lab.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return path


def rows(path, table):
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute(f"SELECT * FROM {table}"))


def used_pages(path):
    """Every page of tables that hold something else than ballast, the first apart."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            found = connection.execute(
                "SELECT pageno FROM dbstat WHERE pageno > 1 AND name <> 'ballast'"
            )
            return sorted(page for (page,) in found)
        except sqlite3.OperationalError:
            return list(range(2, 120))


def damage(path, page):
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(b"\xa5" * PAGE)


async def test_of_a_database_that_is_whole_everything_is_kept(whole, tmp_path):
    into = tmp_path / "new.db"
    found = salvage(whole, into, NOW)

    assert (found.lost, found.undecodable) == ([], [])
    for table in COMPARED:
        kept = rows(into, table)
        assert kept >= rows(whole, table), table
        assert table == "audit" or kept == rows(whole, table), table
    assert into.stat().st_mode & 0o777 == 0o600


async def opened(path, folder):
    """Open what was saved as a relay does; its counters, and how many users it knows."""
    folder.mkdir()
    path.rename(folder / "lab.db")
    async with lab_in(folder) as lab:
        counters = await lab.counters()  # asserts the sum
        [hold] = await lab.store.holds()
        assert hold.name.value == "restored"
        known = await lab.store.run(
            lambda tx: tx.value("SELECT count(*) FROM resource WHERE kind = 'User'")
        )
    return counters, known


async def test_whichever_page_is_damaged_the_rest_is_kept_and_opens(whole, tmp_path):
    pages = used_pages(whole)
    for page in pages[:: max(len(pages) // 24, 1)]:
        copy, into = tmp_path / "copy.db", tmp_path / "new.db"
        copy.write_bytes(whole.read_bytes())
        damage(copy, page)
        before = copy.read_bytes()
        try:
            found = salvage(copy, into, NOW)
        except StoreRefused as refused:
            assert "a backup is all that helps" in str(refused)  # noqa: PT017 - it may come or not
            continue
        assert copy.read_bytes() == before
        _, known = await opened(into, tmp_path / f"page{page}")
        assert known >= 60 or any(one.startswith("resource") for one in found.lost), page


async def test_a_truncated_file_gives_what_its_beginning_holds(whole, tmp_path):
    size = whole.stat().st_size
    with whole.open("r+b") as file:
        file.truncate(size // PAGE // 2 * PAGE)
    found = salvage(whole, tmp_path / "new.db", NOW)

    assert found.lost or found.rows["resource"] == 127
    await opened(tmp_path / "new.db", tmp_path / "again")


async def test_a_row_that_is_garbage_is_kept_and_named(whole, tmp_path):
    with closing(sqlite3.connect(whole, isolation_level=None)) as connection:
        connection.execute("UPDATE change SET writes = '{' WHERE id = 3")
    found = salvage(whole, tmp_path / "new.db", NOW)

    assert (found.lost, found.undecodable) == ([], ["change 3"])


async def test_a_pending_change_whose_effects_are_lost_is_parked_and_not_called_delivered(
    whole, tmp_path
):
    with closing(sqlite3.connect(whole, isolation_level=None)) as connection:
        pending = connection.execute("SELECT id, resource FROM change WHERE state = 'pending'")
        change, resource = pending.fetchall()[0]
        connection.execute("DELETE FROM effect WHERE resource = ?", (resource,))
    salvage(whole, tmp_path / "new.db", NOW)
    kept = {row[0]: row for row in rows(tmp_path / "new.db", "change")}

    assert "parked" in kept[change]


async def test_a_file_that_a_relay_has_open_or_that_is_no_database_is_refused(whole, tmp_path):
    async with lab_in(tmp_path):
        with pytest.raises(AlreadyRunning):
            salvage(whole, tmp_path / "new.db", NOW)
    damage(whole, 1)
    with pytest.raises(StoreRefused, match="a backup is all that helps"):
        salvage(whole, tmp_path / "new.db", NOW)
    with pytest.raises(StoreRefused, match="no such file"):
        salvage(tmp_path / "other.db", tmp_path / "new.db", NOW)
    whole.with_name("new.db").touch()
    with pytest.raises(StoreRefused, match="there already"):
        salvage(whole, tmp_path / "new.db", NOW)


async def test_a_relay_that_refuses_its_file_names_the_command_and_goes_on_with_what_it_saved(
    tmp_path,
):
    from relay.simulator.behaviour import RateLimit, SimulatorSettings
    from relay.simulator.server import simulator

    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        async with relay_for(sim, tmp_path, target={"rate": 100}) as relay:
            people = [await relay.idp.create_user(f"user{n}@x.org") for n in range(20)]
            crew = await relay.idp.create_group("Crew", *people[:10])
            await relay.settled()
        database = tmp_path / "relay.db"
        with closing(sqlite3.connect(database)) as connection:
            query = "SELECT rootpage FROM sqlite_schema WHERE name = 'effect_state'"
            [(page,)] = connection.execute(query)
        damage(database, page)
        code, said = await typed(tmp_path, "serve")
        assert (code, "scim-relay salvage" in said) == (4, True)

        saved = tmp_path / "saved.db"
        code, said = await typed(None, "salvage", str(database), "--into", str(saved), "--json")
        assert code == 0, said
        saved.replace(database)
        async with relay_for(sim, tmp_path, target={"rate": 100}) as relay:
            await relay.held("restored")
            words = ("--hold", "restored", "--keep", "target", "--reason", "compared")
            assert (await typed(tmp_path, "resume", *words))[0] == 0
            await relay.idp.patch(f"/Groups/{crew}", add(people[12]))
            assert (await relay.idp.post("/Users", user("late@x.org"))).status == 201
            await relay.settled()
        [made] = sim.directory.groups
        assert len(made.fields.members) == 11
        assert len(sim.directory.users) == 21
