"""`answer = "strict"`: never told success that TFE has not given; the change stays accepted."""

from support.idp import deactivate, user
from support.relays import relay_for, until

STRICT = {"answer": "strict"}
SOON = {"wait": "100ms"}
FAST = {"rate": 100}


async def test_a_strict_client_gets_tfes_answer(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, connection=STRICT) as relay:
        reply = await relay.idp.post("/Users", user("ada@example.com"))
        [made] = unlimited.directory.users
        assert (reply.status, reply.body["id"]) == (201, made.stamp.id)


async def test_while_tfe_is_paused_a_strict_client_is_told_to_come_back_and_then_finds_it_done(
    unlimited, tmp_path
):
    async with relay_for(unlimited, tmp_path, target=FAST, connection=STRICT, answer=SOON) as relay:
        unlimited.pause()
        reply = await relay.idp.post("/Users", user("ada@example.com"))
        assert (reply.status, "Retry-After" in reply.headers) == (503, True)
        assert (await relay.counters())["pending"] == 1
        repeated = await relay.idp.post("/Users", user("ada@example.com"))
        assert repeated.status == 503
        assert (await relay.counters())["accepted"] == 1

        unlimited.resume()
        await relay.settled()
        done = await relay.idp.post("/Users", user("ada@example.com"))
        assert done.status == 201
        assert len(unlimited.directory.users) == 1


async def test_a_strict_revocation_is_503_until_tfe_has_it(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, target=FAST, connection=STRICT, answer=SOON) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        unlimited.pause()
        assert (await relay.idp.patch(f"/Users/{ada}", deactivate())).status == 503
        unlimited.resume()
        await until(lambda: not next(iter(unlimited.directory.users)).fields.active)
        await relay.settled()
        again = await relay.idp.patch(f"/Users/{ada}", deactivate())
        assert (again.status, again.body["active"]) == (200, False)
