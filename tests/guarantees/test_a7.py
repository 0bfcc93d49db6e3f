"""A7: on a full disk writes are 503 with `Retry-After`, nothing is half-written, delivery goes on."""

from support.idp import user
from support.relays import relay_for, until

FAST = {"rate": 100}


async def pages(relay, limit):
    """Let the database have at most `limit` pages more than it uses; returns what it had."""

    def set_limit(tx):
        used = tx.value("PRAGMA page_count")
        return tx.value(f"PRAGMA max_page_count = {used + limit}")

    return await relay.store.run(set_limit)


async def test_when_the_disk_is_full_writes_are_503_and_what_was_accepted_is_delivered(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        unlimited.pause()
        await pages(relay, 40)
        accepted, refused = [], []
        for number in range(400):
            reply = await relay.idp.post("/Users", user(f"user{number}@example.com"))
            assert reply.status in (201, 503), reply
            (accepted if reply.status == 201 else refused).append(number)
            if refused:
                assert "Retry-After" in reply.headers
                break
        assert accepted
        assert refused
        counters = await relay.counters()
        assert counters["accepted"] == len(accepted)
        listed = await relay.idp.get("/Users?count=0")
        assert listed.body["totalResults"] == len(accepted)

        unlimited.resume()
        await relay.settled()
        assert len(unlimited.directory.users) == len(accepted)


async def test_it_recovers_alone_when_there_is_room_again(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, answer={"wait": "0s"}) as relay:
        await pages(relay, 0)
        statuses = [
            (await relay.idp.post("/Users", user(f"user{number}@x.org"))).status
            for number in range(60)
        ]
        assert statuses[-1] == 503
        await pages(relay, 100_000)

        async def taken():
            return (await relay.idp.post("/Users", user("late@x.org"))).status == 201

        await until(taken)
        await relay.settled()
        assert len(unlimited.directory.users) == statuses.count(201) + 1
