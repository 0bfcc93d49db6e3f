"""The audit log: every decision is an entry, chained to the one before it, and none is altered."""

import json
import sqlite3

import pytest
from support.audits import entries, walk_in, walked
from support.idp import add, deactivate, remove
from support.lab import lab_in

from relay.errors import Unavailable
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.file.engine import open_plain
from relay.store.file.salvaging import salvage
from relay.store.state.holds import HoldName


async def a_day(lab):
    """Creations, a group, edits, a revocation, a refusal, a decision."""
    refusal = Fault(kind=FaultKind.STATUS, status=422, detail="no")
    lab.tfe.faults.add(refusal, Match(method="POST", body="refused", count=None))
    people = await lab.users(4)
    crew = await lab.group("Crew", *people[:2])
    await lab.user("refused@example.com")
    await lab.run()
    await lab.patch(Kind.USER, people[0], deactivate())
    await lab.patch(Kind.GROUP, crew, add(people[2]), remove(people[1]))
    await lab.run()
    await lab.edit(people[3], active=True)
    return people, crew


async def test_a_days_work_is_chained_without_a_gap(lab):
    await a_day(lab)
    walk = await walked(lab.store)
    written = await lab.store.run(lambda tx: tx.value("SELECT count(*) FROM audit"))

    assert (walk.broken, walk.unchained) == (None, 0)
    assert walk.entries == written > 10


async def test_a_delivery_says_which_request_delivered_which_changes(lab):
    ada = await lab.user("ada@example.com")
    for number in range(3):
        await lab.edit(ada, externalId=f"e-{number}")
    [sent] = await lab.run()
    [delivered] = await entries(lab.store, "delivered")

    assert (delivered["attempt"], delivered["change"]) == (sent.claim.attempt, 4)
    assert json.loads(delivered["what"]) == {"changes": [[1, 4]]}
    assert delivered["actor"] == "relay"


async def test_what_needed_no_request_says_so_by_naming_none(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.edit(ada, active=True)
    last = (await entries(lab.store, "delivered"))[-1]
    assert (last["attempt"], last["change"]) == (None, 2)


async def test_an_acceptance_says_who_asked_for_what_and_whether_it_takes_access_away(lab):
    people, _ = await a_day(lab)
    accepted = await entries(lab.store, "accepted")
    told = {one["change"]: json.loads(one["what"]) for one in accepted}

    assert {one["actor"] for one in accepted} == {"idp"}
    assert told[1] == {"verb": "create", "kind": "User", "active": True}
    assert told[7] == {
        "verb": "patch", "kind": "User", "fields": ["active"], "active": False, "revokes": True
    }  # fmt: skip
    assert (told[8]["adds"], told[8]["removes"], told[8]["revokes"]) == ([3], [2], True)
    assert accepted[0]["detail"] == "user00000@example.com"
    assert len(people) == 4


async def test_a_creation_takes_nothing_away_even_of_somebody_inactive(lab):
    await lab.user("ada@example.com", active=False)
    [accepted] = await entries(lab.store, "accepted")
    assert json.loads(accepted["what"]) == {"verb": "create", "kind": "User", "active": False}


async def test_a_parked_change_names_the_request_that_was_refused_and_the_words(lab):
    await a_day(lab)
    [parked] = await entries(lab.store, "parked")
    assert json.loads(parked["what"]) == {"status": 422}
    assert (parked["detail"], parked["resource"] is None) == ("no", False)
    assert parked["attempt"] is not None


async def test_an_order_is_by_its_operator_with_the_reason_apart(lab):
    await lab.store.raise_hold(HoldName.OPERATOR, "ann (uid 7): Ada is on leave")
    await lab.store.lift(HoldName.OPERATOR, "ann (uid 7): she is back: all of it")
    raised, lifted = (await entries(lab.store))[-2:]

    assert (raised["actor"], raised["detail"]) == ("ann (uid 7)", "Ada is on leave")
    assert (lifted["actor"], lifted["detail"]) == ("ann (uid 7)", "she is back: all of it")
    assert json.loads(raised["what"]) == {"hold": "operator"}


async def test_with_minimal_personal_data_nobody_is_named_and_reasons_are_kept(tmp_path):
    async with lab_in(tmp_path, names=False) as lab:
        await a_day(lab)
        await lab.store.raise_hold(HoldName.DOWN, "TFE's words about ada@example.com")
        await lab.store.raise_hold(HoldName.OPERATOR, "ann (uid 7): maintenance")
        written = await entries(lab.store)
        walk = await walked(lab.store)

    assert walk.broken is None
    assert {one["detail"] for one in written} == {None, "maintenance"}
    assert "example.com" not in json.dumps(written)


async def test_a_failed_operation_leaves_no_gap(lab):
    def fails(tx):
        tx.audit("a test", "idp")
        raise ValueError

    def fails_in_part(tx):
        tx.audit("a test", "idp")
        with pytest.raises(ValueError), tx.apart():  # noqa: PT011, PT012
            tx.audit("undone", "idp")
            raise ValueError
        tx.audit("a test", "idp")

    with pytest.raises(ValueError):  # noqa: PT011
        await lab.store.run(fails)
    await lab.store.run(fails_in_part)
    walk = await walked(lab.store)

    assert (walk.broken, walk.entries) == (None, 2)


FORBIDDEN = {
    "deleting": "DELETE FROM audit WHERE id = 3",
    "deleting the last": "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
    "altering who": "UPDATE audit SET actor = 'okta' WHERE id = 3",
    "altering when": "UPDATE audit SET at = at + 1 WHERE id = 3",
    "altering what": "UPDATE audit SET what = '{}' WHERE id = 3",
    "altering words": "UPDATE audit SET detail = 'somebody else' WHERE id = 3",
    "altering the hash": "UPDATE audit SET hash = zeroblob(32) WHERE id = 3",
    "unchaining": "UPDATE audit SET hash = NULL WHERE id = 3",
}


@pytest.mark.parametrize("sql", FORBIDDEN.values(), ids=FORBIDDEN)
async def test_sql_neither_alters_nor_deletes_an_entry(lab, sql):
    await lab.users(4)
    with pytest.raises(sqlite3.IntegrityError, match="append-only") as refused:
        await lab.store.run(lambda tx: _as_stdlib(tx, sql))
    assert "cannot" in str(refused.value)
    assert (await walked(lab.store)).broken is None


def _as_stdlib(tx, sql):
    """Whichever SQLite is built in raises its own class."""
    try:
        tx.run(sql)
    except Exception as error:
        raise sqlite3.IntegrityError(str(error)) from error


async def test_words_can_be_forgotten_and_nothing_else(lab):
    await lab.users(4)
    forget = "UPDATE audit SET detail = NULL, salt = NULL WHERE id = 3"
    await lab.store.run(lambda tx: tx.run(forget))
    walk = await walked(lab.store)
    assert (walk.broken, walk.forgotten) == (None, 1)


REWRITTEN = {
    "an actor": "UPDATE audit SET actor = 'okta' WHERE id = 3",
    "a name": "UPDATE audit SET detail = 'eve@example.com' WHERE id = 3",
    "a row left out": "DELETE FROM audit WHERE id = 3",
    "a row put in": "INSERT OR REPLACE INTO audit SELECT 3, at, event, actor, change, resource,"
    " detail, attempt, what, salt, commitment, hash FROM audit WHERE id = 4",
}


@pytest.mark.parametrize("sql", REWRITTEN.values(), ids=REWRITTEN)
async def test_who_drops_the_triggers_first_is_found_out(sql, tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.users(4)
    connection = open_plain(tmp_path / "lab.db")
    connection.execute("DROP TRIGGER audit_kept")
    connection.execute("DROP TRIGGER audit_unaltered")
    connection.execute(sql)
    connection.close()
    assert walk_in(tmp_path / "lab.db").broken[0] == 3


async def test_what_an_earlier_release_wrote_is_chained_at_the_next_start(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.users(2)
    old = "INSERT INTO audit (at, event, actor, detail) VALUES (?, 'hold lifted', 'relay', 'down')"
    connection = open_plain(tmp_path / "lab.db")
    connection.executemany(old, [(1_700_000_000.5 + number,) for number in range(2_500)])
    connection.close()
    assert walk_in(tmp_path / "lab.db").unchained == 2_500
    async with lab_in(tmp_path) as lab:
        await lab.user("late@example.com")
        walk = await walked(lab.store)
        written = await entries(lab.store)

    assert (walk.broken, walk.unchained, walk.entries) == (None, 0, len(written))
    assert written[5]["detail"] == "down"


async def fills_the_disk(lab):
    for number in range(10_000):
        await lab.user(f"{'x' * 200}{number}@example.com")


async def test_a_full_disk_leaves_the_chain_as_it_was(lab):
    await lab.users(2)
    await lab.store.run(lambda tx: tx.run("PRAGMA max_page_count = 1"))
    with pytest.raises(Unavailable):
        await fills_the_disk(lab)
    await lab.store.run(lambda tx: tx.run("PRAGMA max_page_count = 1000000"))
    lab.store.directory.full = False
    await lab.user("late@example.com")
    assert (await walked(lab.store)).broken is None


async def test_salvage_keeps_the_chain_and_says_so_itself(tmp_path):
    async with lab_in(tmp_path) as lab:
        await a_day(lab)
    salvage(tmp_path / "lab.db", tmp_path / "new.db", 1_700_000_000.0)
    before, after = walk_in(tmp_path / "lab.db"), walk_in(tmp_path / "new.db")

    assert after.broken is None
    assert after.entries == before.entries + 1


async def test_what_a_salvage_lost_is_named_by_it_and_by_the_chain(tmp_path):
    async with lab_in(tmp_path) as lab:
        await a_day(lab)
    connection = open_plain(tmp_path / "lab.db")
    connection.execute("DROP TRIGGER audit_kept")
    connection.execute("DELETE FROM audit WHERE id BETWEEN 4 AND 6")
    connection.close()
    salvage(tmp_path / "lab.db", tmp_path / "new.db", 1_700_000_000.0)
    connection = open_plain(tmp_path / "new.db")
    [(what,)] = connection.execute("SELECT what FROM audit WHERE event = 'salvaged'")
    connection.close()

    assert json.loads(what) == {"missing": [[4, 6]]}
    assert walk_in(tmp_path / "new.db").broken[0] == 4
