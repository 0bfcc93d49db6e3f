"""canaille, a real identity provider, provisions through the relay; TFE is down for part of it.

It sends whole PUTs, addresses without `primary`, passwords in clear, looks everybody up by
`externalId`, and never repeats what failed.
"""

from pathlib import Path

import pytest
from programs import conversation
from support.idp import TOKEN
from support.relays import relay_for

from relay.simulator import SimulatorSettings, simulator
from relay.simulator.behaviour import RateLimit
from relay.simulator.faults import Fault, FaultKind, Match

pytestmark = [pytest.mark.compliance, pytest.mark.timeout(600)]
DRIVER = Path(__file__).with_name("canaille_idp.py")
PASSWORD = "correct horse battery staple"
KEEPING = SimulatorSettings(limit=RateLimit(rate=200), keep_bodies=True)


def person(name):
    return {
        "user_name": name,
        "given_name": name.title(),
        "family_name": "Tester",
        "emails": [f"{name}@example.com", f"{name}@home.example"],
        "password": PASSWORD,
    }


MORNING = [
    *({"do": "create user", "fields": person(name)} for name in ("ada", "bob", "carol", "dan")),
    {"do": "create group", "fields": {"display_name": "admins", "members": ["ada", "bob"]}},
    {"do": "create group", "fields": {"display_name": "short-lived", "members": ["carol"]}},
    {"do": "change user", "name": "ada", "fields": {"title": "Countess"}},
]
OUTAGE = [
    {"do": "create user", "fields": person("erin")},
    {"do": "change group", "name": "admins", "fields": {"members": ["ada", "dan", "erin"]}},
    {"do": "lock user", "name": "bob"},
    {"do": "change user", "name": "dan", "fields": {"emails": ["daniel@example.com"]}},
    {"do": "delete group", "name": "short-lived"},
    {"do": "delete user", "name": "carol"},
]
EVENING = [
    {"do": "create group", "fields": {"display_name": "ops", "members": ["erin"]}},
    {"do": "change user", "name": "erin", "fields": {"user_name": "erin.k"}},
]


@pytest.fixture
async def relay(tmp_path):
    """In place of the folder's own: bodies are kept, and `/Schemas` is as canaille needs it."""
    async with (
        simulator(KEEPING) as sim,
        relay_for(
            sim, tmp_path, target={"rate": 100}, connection={"declare_password": True}
        ) as relay,
    ):
        relay.sim = sim
        yield relay


@pytest.fixture
async def canaille(relay, canaille_python, base, tmp_path):
    async with conversation(canaille_python, str(DRIVER), base, TOKEN, folder=tmp_path) as idp:
        yield idp


async def work(idp, steps):
    """Do the steps one by one; what canaille complained about."""
    return [(step, warning) for step in steps for warning in (await idp.ask(**step))["warnings"]]


def held_by_tfe(sim):
    names = {user.stamp.id: user.fields.user_name for user in sim.directory.users}
    return {
        "users": sorted(
            [user.fields.user_name, user.fields.active, user.fields.email]
            for user in sim.directory.users
        ),
        "groups": sorted(
            [group.fields.display_name, sorted(names[one] for one in group.fields.members)]
            for group in sim.directory.groups
        ),
    }


async def test_what_canaille_holds_is_in_tfe_though_tfe_was_down_for_part_of_it(canaille, relay):
    sim = relay.sim
    complaints = await work(canaille, MORNING)
    await relay.settled()
    sim.faults.add(Fault(kind=FaultKind.STATUS, status=503), Match(count=None))
    complaints += await work(canaille, OUTAGE)
    before = held_by_tfe(sim)
    sim.faults.clear()
    complaints += await work(canaille, EVENING)
    await relay.settled(90)

    assert complaints == []
    assert [name for name, *_ in before["users"]] == ["ada", "bob", "carol", "dan"]
    assert held_by_tfe(sim) == await canaille.ask(do="dump")
    assert (await relay.counters())["parked"] == 0
    assert [entry for entry in sim.log.entries() if (entry.status or 0) // 100 == 4] == []


async def test_a_password_that_canaille_sends_is_kept_nowhere(canaille, relay, tmp_path, capfd):
    await work(canaille, MORNING[:1])
    await relay.settled()
    user = (await relay.idp.find("Users", 'userName eq "ada"')).body["Resources"][0]

    assert "password" not in user
    files = [path.read_bytes() for path in tmp_path.glob("relay.db*")]
    assert files
    secret = PASSWORD.encode()
    assert not any(secret in content for content in files)
    assert not any(secret.decode() in str(entry.body) for entry in relay.sim.log.entries())
    logged = "".join(capfd.readouterr())
    assert "'password'" in logged  # its name, among what was dropped
    assert PASSWORD not in logged
