"""`scim-relay audit`, on a running relay and on a copy: exported, verified, held against the log."""

import json
import sqlite3
from contextlib import closing

import pytest
from structlog.testing import capture_logs
from support.idp import add, deactivate, remove
from support.relays import relay_for, typed, until

from relay.simulator.faults import Fault, FaultKind, Match

FAST = {"target": {"rate": 100}, "answer": {"wait": "0s"}}


async def a_day(relay):
    people = [await relay.idp.create_user(f"user{number}@x.org") for number in range(5)]
    crew = await relay.idp.create_group("Crew", *people[:3])
    await relay.settled()
    await relay.idp.patch(f"/Users/{people[0]}", deactivate())
    await relay.idp.patch(f"/Groups/{crew}", add(people[4]), remove(people[1]))
    await relay.settled()
    return people, crew


async def exported(folder, *words):
    code, shown = await typed(folder, "audit", "export", *words)
    assert code == 0, shown
    return [json.loads(line) for line in shown.splitlines()]


async def verified(folder, *words):
    code, shown = await typed(folder, "audit", "verify", "--json", *words)
    return code, json.loads(shown)


async def test_a_running_relay_and_its_backup_tell_the_same_and_are_whole(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, **FAST) as relay:
        await a_day(relay)
        lines = await exported(tmp_path)
        code, found = await verified(tmp_path)
        copy = tmp_path / "copy.db"
        assert (await typed(tmp_path, "backup", str(copy)))[0] == 0
    assert await exported(tmp_path, str(copy)) == lines
    again, offline = await verified(tmp_path, str(copy))

    assert (code, again, offline) == (0, 0, found)
    assert found["entries"] == found["last"] == len(lines)
    assert (found["broken"], found["head"]) == (None, lines[-1]["hash"])


async def test_entries_are_filtered_by_time_connection_event_and_whom(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, **FAST) as relay:
        people, _ = await a_day(relay)
        everything = await exported(tmp_path)
        accepted = await exported(tmp_path, "--event", "accepted")
        of_one = await exported(tmp_path, "--resource", "user0@x.org")
        by_id = await exported(tmp_path, "--resource", people[0])
        of_idp = await exported(tmp_path, "--connection", "idp")
        by_idp = await exported(tmp_path, "--connection", "idp", "--event", "accepted")
        none = await exported(tmp_path, "--connection", "other")
        late = await exported(tmp_path, "--since", everything[5]["at"])
        early = await exported(tmp_path, "--until", everything[5]["at"], "--since", "1h")

    assert len(accepted) == 8
    assert [one["event"] for one in of_one] == ["accepted", "delivered"] * 2
    assert of_one == by_id
    assert by_idp == accepted
    assert {one["event"] for one in of_idp} >= {"accepted", "delivered"}
    assert none == []
    assert len(late) + len(early) == len(everything)


async def test_more_entries_than_a_page_are_verified_and_exported_whole(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, **FAST) as relay:

        def many(tx):
            for number in range(2_500):
                tx.audit("a test", "idp", detail=str(number))

        await relay.store.run(many)
        lines = await exported(tmp_path, "--event", "a test")
        code, found = await verified(tmp_path)

    assert [one["words"] for one in lines] == [str(number) for number in range(2_500)]
    assert (code, found["entries"] >= 2_500) == (0, True)


def logged(folder, logs, name="relay.log"):
    """The heads of a relay's log as it writes them."""
    path = folder / name
    lines = [json.dumps(one) for one in logs if one["event"] == "audit.head"]
    path.write_text("\n".join(lines) + "\n")
    return path


def tampered(path, *steps):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER audit_kept")
        connection.execute("DROP TRIGGER audit_unaltered")
        for step in steps:
            connection.execute(step)
        connection.commit()


@pytest.fixture
async def kept(unlimited, tmp_path):
    """A database that was closed, and the log with heads from before and after a day."""
    with capture_logs() as logs:
        async with relay_for(unlimited, tmp_path, **FAST) as relay:
            await a_day(relay)
            await relay.parts.parts.auditing.tell()
    return tmp_path / "relay.db", logged(tmp_path, logs)


async def test_a_chain_that_agrees_with_the_log_is_whole(kept, tmp_path):
    database, log = kept
    code, found = await verified(tmp_path, str(database), "--anchors", str(log))
    assert (code, found["heads_in_log"], found["not_as_logged"]) == (0, 2, None)


async def test_an_altered_entry_is_named_without_any_log(kept, tmp_path):
    database, _ = kept
    tampered(database, "UPDATE audit SET actor = 'okta' WHERE id = 4")
    code, found = await verified(tmp_path, str(database))
    assert (code, found["broken"].partition(":")[0]) == (1, "entry 4")
    code, shown = await typed(None, "verify", str(database))
    assert (code, "audit log, entry 4" in shown) == (1, True)


async def test_an_end_that_was_cut_off_is_found_by_the_log_alone(kept, tmp_path):
    database, log = kept
    tampered(database, "DELETE FROM audit WHERE id > 8")
    assert (await verified(tmp_path, str(database)))[0] == 0  # the control: the chain is whole
    code, found = await verified(tmp_path, str(database), "--anchors", str(log))
    assert (code, "cut off" in found["not_as_logged"]) == (1, True)


async def test_a_chain_written_anew_is_found_by_the_log_alone(kept, tmp_path, unlimited):
    database, log = kept
    unchained = "UPDATE audit SET hash = NULL, commitment = NULL, salt = NULL"
    tampered(database, "UPDATE audit SET actor = 'okta' WHERE id = 4", unchained)
    async with relay_for(unlimited, tmp_path, **FAST):
        pass  # it chains what it finds, as after an earlier release
    assert (await verified(tmp_path, str(database)))[0] == 0  # the control
    code, found = await verified(tmp_path, str(database), "--anchors", str(log))
    assert (code, "saw another entry" in found["not_as_logged"]) == (1, True)


async def test_a_log_that_says_nothing_is_no_proof(kept, tmp_path):
    database, log = kept
    log.write_text('{"event": "relay.ready"}\n')
    code, found = await verified(tmp_path, str(database), "--anchors", str(log))
    assert (code, "no audit.head" in found["not_as_logged"]) == (1, True)


async def test_a_running_relay_may_be_ahead_of_the_log_and_the_log_of_a_page(unlimited, tmp_path):
    with capture_logs() as logs:
        async with relay_for(unlimited, tmp_path, **FAST) as relay:
            await a_day(relay)
            await relay.parts.parts.auditing.tell()
            await relay.idp.create_user("late@x.org")
            log = logged(tmp_path, logs)
            code, found = await verified(tmp_path, "--anchors", str(log))
    assert (code, found["not_as_logged"]) == (0, None)


async def test_a_file_that_is_none_of_ours_is_refused(tmp_path):
    (tmp_path / "other.db").write_text("something else")
    for name in ("other.db", "nothing.db"):
        code, shown = await typed(None, "audit", "verify", str(tmp_path / name))
        assert (code, "cannot" in shown) == (4, True), shown


async def test_revocations_are_counted_with_their_times(unlimited, tmp_path):
    refusal = Fault(kind=FaultKind.STATUS, status=400, detail="no")
    async with relay_for(unlimited, tmp_path, **FAST) as relay:
        people, _ = await a_day(relay)
        unlimited.faults.add(refusal, Match(method="DELETE", count=None))
        await relay.idp.delete(f"/Users/{people[3]}")
        await until(lambda: 400 in {one.status for one in unlimited.log.entries()})
        words = ("audit", "report", "revocations", "--json", "--since")
        _, shown = await typed(tmp_path, *words, "1h")
        _, later = await typed(tmp_path, *words, "2100-01-01")
    code, offline = await typed(tmp_path, *words, "1h", str(tmp_path / "relay.db"))
    found = json.loads(shown)

    assert (found["accepted"], found["delivered"], found["dropped"]) == (3, 2, 0)
    assert (found["owed_now"] >= 1, found["held_now"]) == (True, 0)
    assert 0 < found["p50_s"] <= found["p99_s"] <= found["max_s"] < 60
    assert json.loads(later)["accepted"] == 0
    assert (code, json.loads(offline)) == (0, found)
