"""L8: an online backup restores to a consistent state, and delivery resumes without duplicates."""

import json

import pytest
from support.audits import entries
from support.idp import Idp, add, deactivate
from support.relays import RelayProcess, asked, relay_for, typed, until, write_config

from relay.errors import RelayError
from relay.store.file import engine

FAST = {"rate": 100}
AT_ONCE = {"wait": "0s"}


async def used(sim, folder):
    """A database with two users and a group, all delivered."""
    async with relay_for(sim, folder, target=FAST) as relay:
        people = [await relay.idp.create_user(f"user{number}@x.org") for number in range(2)]
        crew = await relay.idp.create_group("Crew", people[0])
        await relay.settled()
    return people, crew


async def older_copy_put_there(sim, folder):
    """A database in its place that a relay has opened once more since."""
    await used(sim, folder)
    database = folder / "relay.db"
    old = database.read_bytes()
    async with relay_for(sim, folder, target=FAST):
        pass
    database.write_bytes(old)
    return database


async def starts_held(sim, folder):
    async with relay_for(sim, folder, target=FAST) as relay:
        [hold] = (await relay.store.snapshot()).holds
        assert (hold.name, "an older copy" in hold.reason) == ("restored", True)


async def test_an_older_copy_starts_in_the_hold_restored(unlimited, tmp_path):
    await older_copy_put_there(unlimited, tmp_path)
    await starts_held(unlimited, tmp_path)


def died_at_its_start(path):
    """What a relay does of a start until the database is counted and remembered; then it dies."""
    lock = engine.FileLock(path)
    lock.acquire()
    connection = engine.open_writer(path)
    now, _ = engine.counted(connection, path, lock.remembered)
    lock.remember(now)
    connection.close()
    lock.release()


async def test_an_older_copy_is_held_though_the_first_start_on_it_died(unlimited, tmp_path):
    died_at_its_start(await older_copy_put_there(unlimited, tmp_path))
    await starts_held(unlimited, tmp_path)


async def backed_up(sim, folder, meanwhile):
    """Back a running relay up, go on for a while, and put the backup in its place."""
    copy = folder / "copy.db"
    async with relay_for(sim, folder, target=FAST, answer=AT_ONCE) as relay:
        assert (await typed(folder, "backup", str(copy)))[0] == 0
        assert (await typed(None, "verify", str(copy)))[0] == 0
        await meanwhile(relay)
        await relay.settled()
    copy.replace(folder / "relay.db")


async def test_revocations_made_after_the_backup_are_not_undone(unlimited, tmp_path):
    people, crew = await used(unlimited, tmp_path)

    async def meanwhile(relay):
        await relay.idp.patch(f"/Users/{people[0]}", deactivate())
        await relay.idp.patch(f"/Groups/{crew}", add(people[1]))
        await relay.idp.create_user("later@x.org")

    await backed_up(unlimited, tmp_path, meanwhile)
    unlimited.log.clear()
    async with relay_for(unlimited, tmp_path, target=FAST, answer=AT_ONCE) as relay:
        assert {hold.name for hold in (await relay.store.snapshot()).holds} == {"restored"}
        with pytest.raises(RelayError, match="without a reason"):
            await asked(tmp_path / "control.sock", "resume", hold="restored", keep="target")
        listed = json.loads((await typed(tmp_path, "holds", "list", "--json"))[1])
        assert sorted((one["name"], one["what"]) for one in listed["drift"]) == [
            ("Crew", "membership of user1@x.org"),
            ("user0@x.org", "active"),
        ]
        new = await relay.idp.create_user("new@x.org")
        code, shown = await typed(tmp_path, "resume", "--hold", "restored", "--reason", "compared")
        assert (code, "--keep" in shown) == (1, True)
        before = await entries(relay.store)
        with pytest.raises(RelayError, match="without a reason"):
            await asked(relay._socket, "resume", hold="restored", keep="target")
        assert await entries(relay.store) == before
        words = ("resume", "--hold", "restored", "--keep", "target", "--reason", "compared")
        assert (await typed(tmp_path, *words))[0] == 0
        followed = await entries(relay.store, "followed")
        assert {one["detail"] for one in followed} == {"compared"}
        await relay.settled()

        assert (await relay.idp.get(f"/Users/{people[0]}")).body["active"] is False
        members = (await relay.idp.get(f"/Groups/{crew}")).body["members"]
        assert {one["value"] for one in members} == set(people)
        found = await relay.idp.find("Users", 'userName eq "later@x.org"')
        assert found.body["totalResults"] == 1
        assert (await relay.idp.get(f"/Users/{new}")).status == 200
    writes = [one for one in unlimited.log.entries() if one.method != "GET"]
    assert [one.method for one in writes] == ["POST"]


@pytest.mark.parametrize(("keep", "there"), [("target", False), ("directory", True)])
async def test_who_was_deleted_after_the_backup_comes_back_only_if_an_operator_says_so(
    unlimited, tmp_path, keep, there
):
    """The comparison after it must not create again whom the identity provider deleted."""
    people, crew = await used(unlimited, tmp_path)

    async def meanwhile(relay):
        await relay.idp.delete(f"/Users/{people[0]}")
        await relay.idp.delete(f"/Groups/{crew}")

    await backed_up(unlimited, tmp_path, meanwhile)
    async with relay_for(unlimited, tmp_path, target=FAST, answer=AT_ONCE) as relay:

        async def told():
            listed = json.loads((await typed(tmp_path, "holds", "list", "--json"))[1])
            return {one["name"] for one in listed["drift"]} == {"user0@x.org", "Crew"}

        await until(told)
        words = ("resume", "--hold", "restored", "--keep", keep, "--reason", "compared")

        async def decided():
            return (await typed(tmp_path, *words))[0] == 0

        await until(decided)
        await relay.settled()
        assert (await typed(tmp_path, "reconcile"))[0] == 0
        await relay.settled()

        names = {one.fields.user_name for one in unlimited.directory.users}
        assert names == {"user1@x.org"} | ({"user0@x.org"} if there else set())
        assert len(unlimited.directory.groups) == there
        for path in (f"/Users/{people[0]}", f"/Groups/{crew}"):
            assert (await relay.idp.get(path)).status == (200 if there else 404)
        assert [len(one.fields.members) for one in unlimited.directory.groups] == [1] * there


async def test_a_backup_of_a_paused_relay_says_that_it_is_not_compared_before_it_is_resumed(
    unlimited, tmp_path
):
    await used(unlimited, tmp_path)
    copy = tmp_path / "copy.db"
    async with relay_for(unlimited, tmp_path, target=FAST):
        await typed(tmp_path, "pause", "--reason", "moving house")
        assert (await typed(tmp_path, "backup", str(copy)))[0] == 0
    copy.replace(tmp_path / "relay.db")
    unlimited.pause()  # else the lab waits until everything is read
    async with relay_for(unlimited, tmp_path, target=FAST):
        unlimited.resume()
        words = ("resume", "--hold", "restored", "--keep", "target", "--reason", "compared")
        why = "still being read, and not before the hold operator is lifted"
        code, shown = await typed(tmp_path, *words)
        assert (code, why in shown) == (1, True)
        assert (
            f"not compared yet: Terraform Enterprise is {why}"
            in (await typed(tmp_path, "holds", "list"))[1]
        )

        assert (await typed(tmp_path, "resume", "--reason", "moved"))[0] == 0

        async def compared():
            return "not compared" not in (await typed(tmp_path, "holds", "list"))[1]

        await until(compared)
        assert (await typed(tmp_path, *words))[0] == 0


async def test_tfe_can_be_brought_back_to_the_backup(unlimited, tmp_path):
    people, crew = await used(unlimited, tmp_path)

    async def meanwhile(relay):
        await relay.idp.patch(f"/Groups/{crew}", add(people[1]))

    await backed_up(unlimited, tmp_path, meanwhile)
    async with relay_for(unlimited, tmp_path, target=FAST) as relay:
        words = ("resume", "--hold", "restored", "--keep", "directory", "--reason", "compared")
        assert (await typed(tmp_path, *words))[0] == 0
        await relay.free()
        [made] = unlimited.directory.groups
        await until(lambda: len(next(iter(unlimited.directory.groups)).fields.members) == 1)
        assert made.fields.display_name == "Crew"


async def test_the_log_of_the_file_before_it_is_not_taken_for_the_backup_s(unlimited, tmp_path):
    """SQLite would take it, and write it into the backup for good."""
    relay, copy = RelayProcess(write_config(unlimited, tmp_path, target=FAST)), tmp_path / "copy.db"
    await relay.start()
    await relay.imported()
    assert (await typed(tmp_path, "backup", str(copy)))[0] == 0
    async with Idp(relay.base) as idp:
        people = [await idp.create_user(f"user{number}@x.org") for number in range(20)]
    await relay.kill()
    database, log = tmp_path / "relay.db", tmp_path / "relay.db-wal"
    whole, left = copy.read_bytes(), log.read_bytes()
    copy.replace(database)

    orders = (("serve",), ("salvage", str(database), "--into", str(tmp_path / "saved.db")))
    for folder, words, code in ((tmp_path, orders[0], 4), (None, orders[1], 4)):
        refused, shown = await typed(folder, *words)
        assert (refused, "relay.db-wal beside it is not its own" in shown) == (code, True), shown
    for folder, words in ((tmp_path, ("check",)), (None, ("verify", str(database)))):
        refused, shown = await typed(folder, *words)
        assert (refused, "relay.db-wal beside it is not its own" in shown) == (1, True), shown
    assert (database.read_bytes(), log.read_bytes()) == (whole, left)

    log.unlink()
    async with relay_for(unlimited, tmp_path, target=FAST) as again:
        assert {hold.name for hold in (await again.store.snapshot()).holds} == {"restored"}
        words = ("resume", "--hold", "restored", "--keep", "target", "--reason", "compared")
        assert (await typed(tmp_path, *words))[0] == 0
        assert (await again.idp.get("/Users")).body["totalResults"] == len(people)


async def test_a_backup_is_written_whole_while_the_relay_takes_writes(unlimited, tmp_path):
    relay = RelayProcess(write_config(unlimited, tmp_path))
    await relay.start()
    copy = tmp_path / "copy.db"
    assert (await typed(tmp_path, "backup", str(copy)))[0] == 0
    assert copy.stat().st_mode & 0o777 == 0o600
    again, shown = await typed(tmp_path, "backup", str(copy))
    assert (again, "there already" in shown) == (1, True)
    assert (await typed(None, "verify", str(tmp_path / "tfe-token")))[0] == 1
    assert await relay.stop() == 0
