"""Nothing of a person who was erased is in the bytes of the database, and the chain verifies."""

import json
import sqlite3
from contextlib import closing

import pytest
from support.audits import walked
from support.idp import add, user
from support.relays import relay_for, typed

from relay.simulator.faults import Fault, FaultKind, Match

FAST = {"target": {"rate": 100}, "answer": {"wait": "0s"}}
CANARY = "canary.person"
"""In every name, address and id of theirs; nobody else's."""
NAME = f"{CANARY}@example.com"


def traces(folder):
    """Files of the database in whose bytes the canary still sings."""
    files = (folder / f"relay.db{ending}" for ending in ("", "-wal", "-shm"))
    song = CANARY.encode()
    return [file.name for file in files if file.exists() and song in file.read_bytes().lower()]


async def a_life(relay, sim):
    """Created, renamed, refused, quoted, somebody's manager, a member, deleted."""
    others = [await relay.idp.create_user(f"user{number}@x.org") for number in range(40)]
    told = {"displayName": f"Ada {CANARY}", "externalId": f"ext-{CANARY}"}
    made = await relay.idp.post("/Users", user(f"first.{NAME}", **told))
    ident = made.body["id"]
    crew = await relay.idp.create_group("Crew", ident, *others[:30])
    await relay.settled()
    refusal = Fault(kind=FaultKind.STATUS, status=422, detail=f"cannot add {NAME}, she said")
    sim.faults.add(refusal, Match(method="PATCH", body="e-bad"))
    renamed = {"op": "replace", "value": {"userName": NAME, "emails": [_email(NAME)]}}
    await relay.idp.patch(f"/Users/{ident}", renamed)
    await relay.settled()
    boss = {"manager": {"value": ident, "displayName": f"Ada {CANARY}"}}
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    await relay.idp.patch(f"/Users/{others[1]}", {"op": "replace", "value": {enterprise: boss}})
    await relay.idp.patch(f"/Users/{others[2]}", _replace(externalId="e-bad"))
    await relay.settled()
    await relay.idp.patch(f"/Groups/{crew}", add(others[35]))
    await relay.idp.delete(f"/Users/{ident}")
    await relay.settled()
    return ident, others, crew


def _email(value):
    return {"value": value, "type": "work", "primary": True}


def _replace(**values):
    return {"op": "replace", "value": values}


async def erased(folder, named, reason="ticket 4711"):
    code, shown = await typed(folder, "erase", named, "--reason", reason, "--json")
    assert code == 0, shown
    return json.loads(shown)


@pytest.fixture
async def living(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, **FAST) as relay:
        yield relay, *await a_life(relay, unlimited)


async def test_nothing_of_them_is_left_in_the_file_and_the_chain_verifies(living, tmp_path):
    relay, ident, others, crew = living
    assert "relay.db" in traces(tmp_path) or "relay.db-wal" in traces(tmp_path)  # the control
    head = await relay.store.audit.head()
    found = await erased(tmp_path, NAME.upper())

    assert traces(tmp_path) == []
    assert (found["still_mentioned"], found["changes"] >= 3) == ({}, True)
    walk = await walked(relay.store)
    assert (walk.broken, walk.entries > head.number, walk.forgotten > 3) == (None, True, True)
    assert (await relay.idp.get(f"/Users/{ident}")).status == 404
    assert len((await relay.idp.get(f"/Groups/{crew}")).body["members"]) == 31
    assert (await relay.idp.get(f"/Users/{others[1]}")).body["userName"] == "user1@x.org"
    await relay.idp.create_user("late@x.org")
    await relay.settled()
    await relay.counters()


async def test_deleting_the_rows_alone_leaves_them_in_the_bytes(living, tmp_path):
    """The control: what the file is written anew for."""
    relay, *_ = living

    def rows_only(tx):
        tx.run("DELETE FROM resource WHERE name LIKE '%canary%'")
        tx.run("UPDATE audit SET detail = NULL, salt = NULL")

    await relay.store.run(rows_only)
    assert traces(tmp_path) != []


async def test_the_erasure_is_in_the_audit_log_without_their_name(living, tmp_path):
    _, ident, *_ = living
    await erased(tmp_path, ident)
    code, shown = await typed(tmp_path, "audit", "export", "--event", "erased")
    [line] = [json.loads(one) for one in shown.splitlines()]

    assert (code, line["words"]) == (0, "ticket 4711")
    assert "(uid " in line["actor"]
    assert CANARY not in shown
    assert (await typed(tmp_path, "audit", "verify"))[0] == 0
    code, everything = await typed(tmp_path, "audit", "export")
    assert (CANARY in everything, ident in everything) == (False, False)


async def test_who_is_still_there_or_pending_is_not_erased_and_it_is_said_why(living, tmp_path):
    relay, ident, others, _ = living
    words = ("--reason", "ticket 4711")
    code, shown = await typed(tmp_path, "erase", others[0], *words)
    assert (code, "users here" in shown) == (1, True)
    assert (await typed(tmp_path, "pause", "--reason", "a test"))[0] == 0
    await relay.idp.delete(f"/Users/{others[0]}")
    code, shown = await typed(tmp_path, "erase", "user0@x.org", *words)
    assert (code, "cannot erase them" in shown) == (1, True)
    code, shown = await typed(tmp_path, "erase", "nobody@x.org", *words)
    assert (code, "nobody is known" in shown) == (1, True)
    code, shown = await typed(tmp_path, "erase", ident, "--reason", f"{NAME} asked for it")
    assert (code, "names whom" in shown) == (1, True)


async def test_somebody_whose_name_merely_ends_the_same_way_is_left_alone(living, tmp_path):
    relay, *_ = living
    await relay.idp.create_user(f"other.{NAME}")
    await relay.settled()
    await erased(tmp_path, NAME)
    [kept] = (await relay.idp.find("Users", f'userName eq "other.{NAME}"')).body["Resources"]
    code, shown = await typed(tmp_path, "audit", "export", "--resource", kept["id"])
    assert (code, f"other.{NAME}" in shown) == (0, True)


async def test_an_erasure_that_was_interrupted_is_finished_later(living, tmp_path):
    relay, *_ = living

    def note(tx):
        tx.run("DELETE FROM resource WHERE name LIKE '%canary%'")
        tx.run("DELETE FROM change WHERE writes LIKE '%canary%'")
        tx.run("DELETE FROM attempt WHERE path LIKE '%canary%' OR detail LIKE '%canary%'")
        tx.run("UPDATE change SET detail = NULL WHERE detail LIKE '%canary%'")
        tx.run("UPDATE effect SET reason = NULL WHERE reason LIKE '%canary%'")
        tx.run("UPDATE resource SET shadow = '{}' WHERE shadow LIKE '%canary%'")
        tx.run("UPDATE audit SET detail = NULL, salt = NULL")
        tx.run("INSERT INTO meta VALUES ('rewrite owed', '1')")

    await relay.store.run(note)
    assert traces(tmp_path) != []
    await relay.store.audit.finish()
    assert traces(tmp_path) == []
    with closing(sqlite3.connect(tmp_path / "relay.db")) as connection:
        owed = connection.execute("SELECT 1 FROM meta WHERE key = 'rewrite owed'").fetchall()
    assert owed == []
