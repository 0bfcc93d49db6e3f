"""Holds last in the file: a relay that is killed under one stands under it again, and resumes."""

from contextlib import asynccontextmanager

import pytest
from support.idp import Idp
from support.relays import RelayProcess, until, write_config


@asynccontextmanager
async def started(config):
    relay = RelayProcess(config)
    await relay.start()
    async with Idp(relay.base) as idp:
        yield relay, idp


async def imported(relay, idp):
    async def ready():
        return (await idp.get("/Users?count=0")).status == 200

    await until(ready)


def held(relay, name):
    async def stands():
        return name in [hold["hold"] for hold in (await relay.status())["holds"]]

    return until(stands)


async def pause(tfe):
    tfe.pause()


async def resume(tfe, folder):
    tfe.resume()


async def revoke(tfe):
    tfe.rotate_token()


async def renew(tfe, folder):
    (folder / "tfe-token").write_text(tfe.token)


async def take_away(tfe):
    await tfe.stop()


async def bring_back(tfe, folder):
    await tfe.start()


TROUBLE = {
    "paused": (pause, resume),
    "token": (revoke, renew),
    "down": (take_away, bring_back),
}


@pytest.mark.parametrize("name", TROUBLE)
async def test_a_hold_survives_kill_9_is_shown_after_it_and_ends_by_itself(name, tfe, tmp_path):
    begin, end = TROUBLE[name]
    config = write_config(tfe, tmp_path, target={"rate": 100}, answer={"wait": "0s"})
    async with started(config) as (relay, idp):
        await imported(relay, idp)
        await begin(tfe)
        await idp.create_user("ada@example.com")
        await held(relay, name)
        since = (await relay.status())["holds"][0]["since"]
        await relay.kill()

    async with started(config) as (relay, idp):
        [hold] = (await relay.status())["holds"]
        assert (hold["hold"], hold["since"]) == (name, since)
        await idp.create_user("bob@example.com")
        assert tfe.names() == []

        await end(tfe, tmp_path)
        await until(lambda: len(tfe.names()) == 2)
        assert tfe.landed() == ["ada@example.com", "bob@example.com"]
        await until(lambda: _free(relay))
        assert await relay.stop() == 0


async def _free(relay):
    return (await relay.status())["holds"] == []
