"""L3: a cancellation at any await leaves a legal state: nothing lost, doubled or stuck."""

import asyncio
import tempfile
from pathlib import Path

import aiohttp
import pytest
from instruments.cancel_at_await import CancelledAt
from support.history import Player
from support.idp import deactivate, user
from support.relays import relay_for
from support.world import Unmeasured, VirtualClock, World, run_virtually

from relay.delivery.dispatcher import Dispatcher
from relay.delivery.keeper import Keeper
from relay.delivery.sender import Sender
from relay.front.front import Front
from relay.pace import Pacer
from relay.rules import reads

STEPS = [
    ("create_user", "ann", True, "e1"),
    ("create_user", "bob", True, None),
    ("create_group", "cy", (0, 1)),
    ("pass", 1.5),
    ("rename_user", 0, "cy"),
    ("remove_members", 0, (1,)),
    ("deactivate", 1),
    ("fault", "reset-after", 0, "PATCH"),
    ("pass", 1.5),
    ("pause", 20.0),
    ("delete_user", 1),
    ("pass", 1.5),
]
WORKERS = [(Dispatcher, "run"), (Dispatcher, "_deliver"), (Keeper, "run")]


class Supervised(World):
    """A relay that is started again after one of its workers was cancelled."""

    cancels = CancelledAt(0)
    again = False

    async def pass_time(self, seconds):
        await asyncio.sleep(seconds)
        if self.cancels.done and not self.again:
            self.again = True
            await self.stop()
            await self.start()


def cancelled_at(number, owner, name):
    """Play the steps with a worker cancelled at this await; whether there was such an await."""
    cancels = CancelledAt(number)

    async def main():
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            world = Supervised(Path(folder) / "relay.db")
            world.cancels = cancels
            await world.start()
            player = Player(world)
            await player.play(STEPS)
            await world.settled()
            counters = await world.store.run(
                lambda tx: dict(tx.all("SELECT name, value FROM counter"))
            )
            await world.stop()
        assert player.held() == player.expected(), number
        assert counters["accepted"] == counters["delivered"], counters

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(owner, name, cancels.around(getattr(owner, name)))
        run_virtually(main)
    return cancels.done


@pytest.mark.parametrize(("owner", "name"), WORKERS, ids=lambda one: getattr(one, "__name__", one))
def test_a_worker_cancelled_at_any_await_loses_and_doubles_nothing(owner, name):
    number = 1
    while cancelled_at(number, owner, name):
        number += 1
    assert number > 5


async def test_a_request_cancelled_at_any_await_has_one_effect_or_none(
    unlimited, tmp_path, monkeypatch
):
    number, most = 0, 0
    answer, cancels = Front.answer, CancelledAt(0)

    def answered(*asked):
        return cancels.around(answer)(*asked)

    monkeypatch.setattr(Front, "answer", answered)
    async with relay_for(
        unlimited, tmp_path, target={"rate": 100}, answer={"wait": "50ms"}
    ) as relay:
        while number <= most:
            number += 1
            name = f"user{number}@example.com"
            for attempt in ("post", "patch", "delete"):
                cancels = CancelledAt(number)
                await once(relay.idp, attempt, name)
                most = max(most, number if cancels.done else 0)
                cancels = CancelledAt(0)
                await is_single(relay.idp, attempt, name)
        await relay.settled()
        counters = await relay.counters()

    assert most > 1
    assert counters["pending"] == counters["parked"] == 0
    assert not unlimited.directory.users


async def once(idp, attempt, name):
    """Ask once; the connection may be cut instead of an answer."""
    try:
        await asked(idp, attempt, name)
    except (aiohttp.ClientError, OSError):
        return


async def asked(idp, attempt, name):
    if attempt == "post":
        return await idp.post("/Users", user(name))
    found = await idp.find("Users", f'userName eq "{name}"')
    if not found.body["Resources"]:
        return None
    path = f"/Users/{found.body['Resources'][0]['id']}"
    return await (idp.patch(path, deactivate()) if attempt == "patch" else idp.delete(path))


async def is_single(idp, attempt, name):
    """The identity provider repeats what it had no answer to, and reads what is there."""
    await asked(idp, attempt, name)
    found = (await idp.find("Users", f'userName eq "{name}"')).body["Resources"]
    assert len(found) == (0 if attempt == "delete" else 1)
    if attempt == "patch":
        assert found[0]["active"] is False


def test_questions_cancelled_before_they_left_keep_no_slot():
    class Silent:
        async def send(self, _request, _name, _departing, /):
            await asyncio.sleep(3600)  # a handshake that never ends

    async def main():
        pacer = Pacer(10)
        sender = Sender(Silent(), pacer, VirtualClock(), Unmeasured())
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(sender.ask(reads.probe(), "probe"), 5)
        async with asyncio.timeout(5):
            await pacer.acquire()

    run_virtually(main)
