"""A password never reaches the database, the log, TFE or an answer, however it is spelt (A5)."""

import pytest
from support.idp import Idp, patch_body, user
from support.relays import RelayProcess, until, write_config

CANARY = "correct-horse-battery-staple"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCHES = [
    {"op": "replace", "path": "password", "value": CANARY},
    {"op": "Add", "path": "PASSWORD", "value": CANARY},
    {"op": "replace", "path": f"{CORE}:password", "value": CANARY},
    {"op": "replace", "value": {"password": CANARY, "externalId": "e-1"}},
    {"op": "replace", "value": {f"{CORE}:password": CANARY}},
    {"op": "add", "value": {"Password": CANARY}},
]


@pytest.mark.parametrize("level", ["info", "debug"])
async def test_the_canary_is_nowhere(unlimited, tmp_path, level):
    config = write_config(unlimited, tmp_path, log={"level": level, "format": "json"})
    relay = RelayProcess(config)
    await relay.start()
    answers = []
    async with Idp(relay.base) as idp:

        async def ready():
            return (await idp.get("/Users?count=0")).status == 200

        await until(ready)
        made = await idp.post("/Users", user("ada@example.com", password=CANARY))
        answers.append(made)
        path = f"/Users/{made.body['id']}"
        answers += [await idp.call("PATCH", path, patch_body(one)) for one in PATCHES]
        answers.append(await idp.put(path, user("ada@example.com", passWord=CANARY)))
        answers.append(await idp.get(path))
        answers.append(await idp.post("/Users", {"userName": 5, "password": CANARY}))
    assert {one.status for one in answers[:-1]} <= {200, 201, 204}
    assert await relay.stop() == 0

    assert CANARY not in str([one.body for one in answers])
    assert CANARY not in str(relay.lines)
    assert CANARY not in str([entry.body for entry in unlimited.log.entries()])
    stored = b"".join(one.read_bytes() for one in tmp_path.iterdir() if one.is_file())
    assert CANARY.encode() not in stored
    assert b"ada@example.com" in stored
