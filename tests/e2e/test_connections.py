"""Several identity providers on one Terraform Enterprise, each with `scope = "own"`."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import pytest
from support.idp import Idp, add, deactivate, user
from support.relays import hash_of, relay_for, typed

from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.server import simulator

TOKENS = {"okta": "okta-token-of-the-tests", "entra": "entra-token-of-the-tests"}
OWN = tuple(
    {"name": name, "token_hash": hash_of(token), "scope": "own"} for name, token in TOKENS.items()
)
TRANSFER = ("connections", "transfer")
WHY = ("--reason", "Entra replaces Okta")


@pytest.fixture
async def sim():
    async with simulator(SimulatorSettings(limit=RateLimit(rate=0))) as sim:
        yield sim


@asynccontextmanager
async def both(sim, folder):
    """The relay, Okta and Entra."""
    async with relay_for(
        sim, folder, target={"rate": 100}, answer={"wait": "0s"}, connections=OWN
    ) as relay:
        base = f"http://127.0.0.1:{relay.parts.port}/scim/v2"
        async with Idp(base, TOKENS["okta"]) as okta, Idp(base, TOKENS["entra"]) as entra:
            yield relay, okta, entra


def refused(relay):
    exposed = relay.parts.metrics.exposition().decode()
    found = [line for line in exposed.splitlines() if 'refused_total{reason="scope"}' in line]
    return [float(line.rpartition(" ")[2]) for line in found]


def posts(sim):
    return [entry.path for entry in sim.log.entries() if entry.method == "POST"]


async def test_two_identity_providers_on_one_user_name_leave_it_to_whose_it_is(sim, tmp_path):
    async with both(sim, tmp_path) as (relay, okta, entra):
        ada = await okta.create_user("ada@example.com", title="Countess")

        taken = await entra.post("/Users", user("ADA@example.com"))
        assert (taken.status, taken.body["scimType"]) == (409, "uniqueness")
        found = await entra.find("Users", 'userName eq "ada@example.com"')
        assert [one["id"] for one in found.body["Resources"]] == [ada]

        replies = [
            await entra.patch(f"/Users/{ada}", deactivate()),
            await entra.put(f"/Users/{ada}", user("ada@example.com", active=False)),
            await entra.delete(f"/Users/{ada}"),
        ]
        assert [reply.status for reply in replies] == [403, 403, 403]
        assert "connections transfer" in replies[0].body["detail"]
        assert replies[0].body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert refused(relay) == [3.0]

        await entra.create_group("Crew", ada)  # anybody's user may be in one's own group
        assert (await okta.patch(f"/Users/{ada}", deactivate())).status == 200
        await relay.settled()
        [in_tfe] = sim.directory.users.named("ada@example.com")
        assert in_tfe.fields.active is False
        assert posts(sim) == ["/Users", "/Groups"]


async def test_an_identity_provider_is_replaced_by_another_and_nobody_is_created_again(
    sim, tmp_path
):
    async with both(sim, tmp_path) as (relay, okta, entra):
        names = [f"user{number}@example.com" for number in range(3)]
        first, second, third = [await okta.create_user(name) for name in names]
        crew = await okta.create_group("Crew", first, second)
        await relay.settled()
        before = {one.stamp.id for one in sim.directory.users}

        code, shown = await typed(tmp_path, *TRANSFER, "okta", "entra", "--all", *WHY)
        assert (code, "transferred: 4" in shown) == (0, True), shown

        # What Entra does with whom it finds: match, then its own externalId, then who left.
        for name in names:
            found = await entra.find("Users", f'userName eq "{name}"')
            [one] = found.body["Resources"]
            change = {"op": "add", "path": "externalId", "value": f"entra-{name}"}
            assert (await entra.patch(f"/Users/{one['id']}", change)).status == 200
        assert (await entra.delete(f"/Users/{second}")).status == 204
        assert (await entra.patch(f"/Groups/{crew}", add(third))).status == 200
        for call in (
            okta.patch(f"/Users/{first}", deactivate()),
            okta.delete(f"/Groups/{crew}"),
        ):
            assert (await call).status == 403
        await relay.settled()

        assert {one.stamp.id for one in sim.directory.users} < before
        [group] = sim.directory.groups
        users = [sim.directory.user(one).fields for one in group.fields.members]
        assert {(one.user_name, one.external_id) for one in users} == {
            (name, f"entra-{name}") for name in (names[0], names[2])
        }
        assert len(posts(sim)) == 4


async def test_what_tfe_had_before_is_given_by_name(sim, tmp_path):
    async with both(sim, tmp_path) as (relay, okta, _):
        for name in ("ada@a.example", "bob@A.example", "eve@b.example", "a[1]@b.example"):
            await okta.create_user(name)
        await relay.settled()
        await relay.store.run(lambda tx: tx.run("UPDATE resource SET origin = 'import'"))

        code, shown = await typed(
            tmp_path, *TRANSFER, "nobody", "entra", "--name", "*@a.example", "--json", *WHY
        )
        given = json.loads(shown)
        assert (code, given["users"], given["groups"]) == (0, 2, 0)
        assert [one["name"] for one in given["resources"]] == ["ada@a.example", "bob@A.example"]
        code, shown = await typed(
            tmp_path, *TRANSFER, "nobody", "okta", "--name", "A[1]*", "--kind", "User", *WHY
        )
        assert (code, "transferred: 1" in shown) == (0, True), shown

        code, shown = await typed(tmp_path, "connections", "list", "--json")
        rows = [json.loads(line) for line in shown.splitlines()]
        assert [(row["connection"], row["scope"], row["users"]) for row in rows] == [
            ("okta", "own", 1),
            ("entra", "own", 2),
            ("nobody", None, 1),
        ]


async def test_one_by_one_all_are_given_or_none_and_each_is_in_the_audit_log(sim, tmp_path):
    async with both(sim, tmp_path) as (relay, okta, entra):
        ada = await okta.create_user("ada@example.com")
        await entra.create_user("eve@example.com")
        await okta.create_group("Crew", ada)

        named = ("--user", "ada@example.com", "--user", "eve@example.com")
        code, shown = await typed(tmp_path, *TRANSFER, "okta", "entra", *named, *WHY)
        assert (code, "is entra's, not okta's; nothing was given" in shown) == (1, True), shown
        code, shown = await typed(tmp_path, *TRANSFER, "okta", "entra", "--group", "Crow", *WHY)
        assert (code, "no Group has the id or the displayName 'Crow'" in shown) == (1, True)

        named = ("--user", ada, "--group", "crew")
        code, shown = await typed(tmp_path, *TRANSFER, "okta", "entra", *named, *WHY)
        assert (code, "transferred: 2" in shown) == (0, True), shown
        told = await relay.store.run(
            lambda tx: tx.all("SELECT actor, what, detail FROM audit WHERE event = 'transferred'")
        )
        particulars = '{"from":"okta","to":"entra"}'
        assert {(what, why) for _, what, why in told} == {(particulars, "Entra replaces Okta")}
        assert [("uid" in actor) for actor, *_ in told] == [True, True]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("okta", "entra", *WHY), "cannot give everything by accident"),
        (("okta", "okta", "--all", *WHY), "that is what it is"),
        (("okta", "octa", "--all", *WHY), "no [[connections]] is called so; known are entra, okta"),
        (("entra", "okta", "--all", *WHY), "nothing that matches is entra's"),
        (("okta", "entra", "--all"), "--reason"),
        (("okta", "entra", "--all", "--reason", " "), "without a reason"),
    ],
)
async def test_a_transfer_that_makes_no_sense_is_refused(sim, tmp_path, words, said):
    async with both(sim, tmp_path) as (relay, okta, _):
        await okta.create_user("ada@example.com")
        code, shown = await typed(tmp_path, *TRANSFER, *words)
        assert code != 0
        assert said in shown
        assert await relay.store.desk.owned() == {"okta": {"User": 1}}
