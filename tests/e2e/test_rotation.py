"""Tokens of both sides are replaced while requests come, and none is refused."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from support.idp import TOKEN, Idp, user
from support.relays import RelayProcess, asked, hash_of, relay_for, typed, until, write_config

from relay.settings import load
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator
from relay.telemetry import events

NEW, THIRD = "a-newer-token-of-the-tests", "a-third-token-of-the-tests"
RATE = {"target": {"rate": 100}, "answer": {"wait": "0s"}}


@pytest.fixture
async def sim():
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        yield sim


@asynccontextmanager
async def served(sim, folder, **keys):
    """A relay in a process of its own, its token accepted; stopped at the end."""
    relay = RelayProcess(write_config(sim, folder, **{**RATE, **keys}))
    await relay.start()
    try:
        async with Idp(relay.base) as idp:

            async def let_in():
                return (await idp.get("/Users")).status == 200

            await until(let_in)
        yield relay
        assert await relay.stop() == 0
    finally:
        if relay.process.returncode is None:
            await relay.kill()


@dataclass
class Traffic:
    """An identity provider that creates a user, reads it and edits it, over and over.

    Attributes:
        base: the relay's address.
        token: what it shows from its next user on.
        rounds: users that went through.
        statuses: of all answers.
    """

    base: str
    token: str = TOKEN
    rounds: int = 0
    statuses: set[int] = field(default_factory=set)

    async def run(self, name):
        while True:
            async with Idp(self.base, self.token) as idp:
                for _ in range(5):
                    body = user(f"{name}{self.rounds}@example.com")
                    made = await idp.post("/Users", body)
                    self.statuses.add(made.status)
                    path = f"/Users/{made.body['id']}"
                    read = await idp.get(path)
                    edited = await idp.patch(path, {"op": "replace", "value": {"title": "Boss"}})
                    self.statuses |= {read.status, edited.status}
                    self.rounds += 1

    async def goes_on(self, rounds=10):
        """Wait until so many more went through."""
        goal = self.rounds + rounds
        await until(lambda: self.rounds >= goal)


@asynccontextmanager
async def traffic_to(relay):
    traffic = Traffic(relay.base)
    tasks = [asyncio.create_task(traffic.run(name)) for name in ("a", "b", "c")]
    try:
        yield traffic
        assert [task.exception() for task in tasks if task.done()] == []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def hup(relay):
    """Signal it, and wait until it says what came of that."""
    seen = len(relay.lines)
    relay.process.send_signal(signal.SIGHUP)

    def told():
        return [one for one in relay.lines[seen:] if str(one.get("event")).startswith("config.")]

    await until(told)
    return told()[0]


async def test_both_sides_rotate_under_traffic_without_a_refused_request(sim, tmp_path):
    first = sim.token
    async with served(sim, tmp_path) as relay, traffic_to(relay) as traffic:
        await traffic.goes_on()

        # Terraform Enterprise's: a second one, written over the file, the first one deleted.
        fresh = tmp_path / "fresh"
        fresh.write_text(sim.access.issue("second"))
        fresh.rename(tmp_path / "tfe-token")
        await traffic.goes_on()
        await until(lambda: sim.access.tokens()[-1].last_used is not None)
        sim.access.revoke(first)
        await traffic.goes_on()

        # The identity provider's: beside the old one, then instead of it.
        write_config(
            sim, tmp_path, **RATE, connection={"token_hash": [hash_of(TOKEN), hash_of(NEW)]}
        )
        assert (await hup(relay))["event"] == events.CONFIG_RELOADED
        await traffic.goes_on()
        traffic.token = NEW
        await traffic.goes_on(30)
        write_config(sim, tmp_path, **RATE, connection={"token_hash": hash_of(NEW)})
        assert (await hup(relay))["event"] == events.CONFIG_RELOADED
        await traffic.goes_on()

        async with Idp(relay.base) as old:
            assert (await old.get("/Users")).status == 401
    assert traffic.statuses == {200, 201}
    assert traffic.rounds >= 80
    assert {entry.status for entry in sim.log.entries()} == {200, 201}
    assert [one for one in relay.lines if one.get("event") == events.HOLD_RAISED] == []


async def test_a_new_hash_instead_of_the_old_one_refuses_who_has_the_old_one_still(sim, tmp_path):
    """The control: what the order of the guide is for."""
    async with served(sim, tmp_path) as relay, Idp(relay.base) as idp:
        write_config(sim, tmp_path, **RATE, connection={"token_hash": hash_of(NEW)})
        await hup(relay)
        assert (await idp.get("/Users")).status == 401


@pytest.mark.parametrize("how", ["hup", "command"])
async def test_a_file_that_cannot_be_used_changes_nothing_and_is_told(sim, tmp_path, how):
    async with served(sim, tmp_path) as relay:
        good = relay.config.read_text()
        relay.config.write_text(good.replace('"idp"', '"Idp!"') + "[lissten]\n")
        if how == "hup":
            told = await hup(relay)
            assert told["event"] == events.CONFIG_REFUSED
            assert [problem.partition(":")[0] for problem in told["problems"]] == [
                "lissten",
                "connections[1].name",
            ]
        else:
            code, shown = await typed(tmp_path, "reload")
            assert (code, "lissten: unknown table" in shown) == (2, True), shown
            with pytest.raises(Exception, match="lissten"):
                await asked(tmp_path / "control.sock", "reload")
        async with Idp(relay.base) as idp:
            assert (await idp.get("/Users")).status == 200
        relay.config.write_text(good)
        assert (await typed(tmp_path, "reload"))[0] == 0


async def test_what_a_reload_does_not_take_is_named_until_a_restart(sim, tmp_path):
    both = [hash_of(TOKEN), hash_of(NEW)]
    async with relay_for(sim, tmp_path) as relay:
        target = {"rate": 7, "token_expires": "2099-01-01"}
        write_config(sim, tmp_path, connection={"token_hash": both}, target=target)
        code, shown = await typed(tmp_path, "reload")

        assert (code, "tokens: 2" in shown) == (0, True), shown
        assert "needs restart: [" in shown
        assert "target.rate" in shown
        assert "token_expires" not in shown
        assert (await relay.status())["target_token"]["ends"] == "2099-01-01"
        told = await relay.store.run(
            lambda tx: tx.all("SELECT actor, what FROM audit WHERE event = 'reloaded'")
        )
        assert [("uid" in actor, what) for actor, what in told] == [
            (True, '{"connections":["idp"]}')
        ]


async def test_a_reload_brings_scope_and_further_connections_and_takes_them_away(sim, tmp_path):
    okta = {"name": "okta", "token_hash": hash_of(TOKEN)}
    entra = {"name": "entra", "token_hash": hash_of(NEW), "scope": "own"}
    async with relay_for(sim, tmp_path, connections=(okta,)) as relay:
        ada = await relay.idp.create_user("ada@example.com")
        base = f"http://127.0.0.1:{relay.parts.port}/scim/v2"
        async with Idp(base, NEW) as new:
            assert (await new.get("/Users")).status == 401
            write_config(sim, tmp_path, connections=(okta, entra))
            await relay.parts.reloading.reload("test")
            assert (await new.delete(f"/Users/{ada}")).status == 403
            write_config(sim, tmp_path, connections=({**entra, "scope": "all"},))
            await relay.parts.reloading.reload("test")
            assert (await new.delete(f"/Users/{ada}")).status == 204
        assert (await relay.idp.get("/Users")).status == 401


async def test_a_token_file_is_read_again_and_a_missing_one_changes_nothing(sim, tmp_path):
    path = tmp_path / "idp-token"
    path.write_text(TOKEN)
    own = {"name": "idp", "token_file": str(path)}
    async with relay_for(sim, tmp_path, connections=(own,)) as relay:
        path.unlink()
        code, shown = await typed(tmp_path, "reload")
        assert (code, "connections.token_file: cannot read" in shown) == (1, True), shown
        assert (await relay.idp.get("/Users")).status == 200
        path.write_text(THIRD)
        assert (await typed(tmp_path, "reload"))[0] == 0
        assert (await relay.idp.get("/Users")).status == 401


@pytest.mark.parametrize("written", ["", "\n"])
async def test_a_token_file_that_is_being_written_does_not_end_the_token(sim, tmp_path, written):
    path = tmp_path / "idp-token"
    path.write_text(TOKEN)
    own = {"name": "idp", "token_file": str(path)}
    async with relay_for(sim, tmp_path, connections=(own,)) as relay:
        path.write_text(written)
        code, shown = await typed(tmp_path, "reload")
        assert (code, f"connections.token_file: {path} is empty" in shown) == (1, True), shown
        assert (await relay.idp.get("/Users")).status == 200


async def test_one_token_is_not_two_connections(sim, tmp_path):
    path = tmp_path / "other-token"
    path.write_text(THIRD)
    idp = {"name": "idp", "token_hash": hash_of(TOKEN), "scope": "own"}
    other = {"name": "other", "token_file": str(path)}
    async with relay_for(sim, tmp_path, connections=(idp, other)) as relay:
        path.write_text(TOKEN)
        code, shown = await typed(tmp_path, "reload")
        assert (code, "idp and other have the same token" in shown) == (1, True), shown
        await relay.idp.create_user("ada@example.com")
        owned = await relay.store.desk.owned()
    assert owned == {"idp": {"User": 1}}


async def test_a_secret_in_the_environment_is_no_change(sim, tmp_path, monkeypatch):
    monkeypatch.setenv("SCIM_RELAY_TARGET__TOKEN", sim.token)
    path = write_config(sim, tmp_path)
    lines = [line for line in path.read_text().splitlines() if not line.startswith("token_file")]
    path.write_text("\n".join(lines))

    from relay.daemon.reloading import differing

    assert list(differing(load(path), load(path))) == []
