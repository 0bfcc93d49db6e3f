"""A8: everything is bounded; over a bound the newest is refused with 503, the oldest never dropped.

History that goes in batches is proved in `tests/store/test_history_kept.py`; every bound with its
key, default and reason is in `docs/reference/limits.md`.
"""

from contextlib import closing

from support.idp import add, deactivate, remove, user
from support.relays import relay_for

from relay.store.file.engine import open_plain

MOST = 5
FAST = {"rate": 100}
UNGUARDED = {"max_deactivations": 0, "max_deletions": 0, "max_removals": 0}


async def test_past_the_most_that_may_be_pending_writes_are_503_and_nothing_older_is_lost(
    unlimited, tmp_path
):
    sections = {"store": {"max_pending": MOST}, "answer": {"wait": "0s"}, "target": FAST}
    async with relay_for(unlimited, tmp_path, **sections) as relay:
        unlimited.pause()
        replies = [await relay.idp.post("/Users", user(f"u{n}@example.com")) for n in range(8)]
        assert [one.status for one in replies] == [201] * MOST + [503] * 3
        assert int(replies[-1].headers["Retry-After"]) > 0
        assert (await relay.counters())["pending"] == MOST

        unlimited.resume()
        await relay.settled(60)
        names = {one.fields.user_name for one in unlimited.directory.users}
        assert names == {f"u{number}@example.com" for number in range(MOST)}
        assert (await relay.idp.post("/Users", user("u6@example.com"))).status == 201


async def test_what_takes_access_away_has_room_of_its_own(unlimited, tmp_path):
    sections = {"store": {"max_pending": 20}, "answer": {"wait": "0s"}, "target": FAST}
    async with relay_for(unlimited, tmp_path, guard=UNGUARDED, **sections) as relay:
        idp = relay.idp
        people = [await idp.create_user(f"u{number}@example.com") for number in range(4)]
        crew = await idp.create_group("Crew", *people)
        await relay.settled()
        unlimited.pause()
        for number in range(20):
            assert (await idp.post("/Users", user(f"more{number}@example.com"))).status == 201
        assert (await idp.post("/Users", user("last@example.com"))).status == 503
        assert (await idp.patch(f"/Groups/{crew}", add(people[0]))).status == 503
        assert (await idp.patch(f"/Users/{people[0]}", deactivate())).status in (200, 204)
        assert (await idp.patch(f"/Groups/{crew}", remove(people[1]))).status in (200, 204)
        assert (await idp.delete(f"/Users/{people[2]}")).status == 503  # that is full as well

        unlimited.resume()
        await relay.settled(60)
        users = {one.fields.user_name: one.fields for one in unlimited.directory.users}
        assert users["u0@example.com"].active is False


async def test_a_queue_that_is_full_at_a_crash_is_delivered_without_room_for_more(
    unlimited, tmp_path
):
    sections = {"store": {"max_pending": MOST}, "answer": {"wait": "0s"}, "target": FAST}
    async with relay_for(unlimited, tmp_path, **sections) as relay:
        unlimited.pause()
        for number in range(MOST):
            await relay.idp.post("/Users", user(f"u{number}@example.com"))
    unlimited.resume()
    async with relay_for(unlimited, tmp_path, **sections) as relay:
        await relay.settled(60)
        assert len(unlimited.directory.users) == MOST


async def test_the_log_that_a_long_reader_let_grow_is_cut_to_its_limit(unlimited, tmp_path):
    """SQLite cannot reuse its write-ahead log past a reader; once that is gone the file shrinks."""
    sections = {"store": {"max_wal": "1MB"}, "target": FAST, "answer": {"wait": "0s"}}
    async with relay_for(unlimited, tmp_path, **sections) as relay:
        unlimited.pause()
        log = tmp_path / "relay.db-wal"
        reading = relay.store._reader._connection
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM change").fetchone()
        for number in range(400):
            await relay.store.run(
                lambda tx, n=number: tx.run(
                    "INSERT INTO meta (key, value) VALUES (?, zeroblob(4000))", (f"filler{n}",)
                )
            )
        grown = log.stat().st_size
        assert grown > 2_000_000
        reading.execute("COMMIT")
        await relay.store.run(lambda tx: tx.run("DELETE FROM meta WHERE key LIKE 'filler%'"))
        for _ in range(3):
            await relay.idp.post("/Users", user(f"later{_}@example.com"))
        with closing(open_plain(tmp_path / "relay.db")) as beside:  # the writer's own is busy
            beside.execute("PRAGMA busy_timeout = 10000")
            beside.execute("PRAGMA wal_checkpoint(RESTART)")
        await relay.idp.post("/Users", user("last@example.com"))
        assert log.stat().st_size <= 1_000_000
