"""How-to pages, followed to the letter: each test types the commands of a page in their order."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.idp import TOKEN, Idp, add, deactivate
from support.relays import hash_of, relay_for, settings_for, typed, until, write_config

from relay.simulator.admin.budgets import AdminLimits
from relay.simulator.behaviour import RateLimit, SimulatorSettings
from relay.simulator.seed import sow
from relay.simulator.server import simulator

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"
FAST = {"target": {"rate": 100}, "answer": {"wait": "0s"}}


class Reader:
    """Somebody who types what a page says, block after block."""

    def __init__(self, page, folder):
        text = (PAGES / page).read_text()
        blocks = re.findall(r"^ *```sh\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
        self.blocks = [
            [
                shlex.split(line, comments=True)
                for line in block.splitlines()
                if line.strip().startswith("scim-relay ")
            ]
            for block in blocks
        ]
        self.folder = folder

    async def type_block(self):
        """Type the next block; what it printed. Every command must succeed."""
        shown = []
        for _, *words in self.blocks.pop(0):
            alone = words[:2] == ["token", "new"]  # it reads no configuration
            here = [str(self.folder / word) if word == "relay.log" else word for word in words]
            code, output = await typed(None if alone else self.folder, *here)
            assert code == 0, (words, output)
            shown.append(output)
        return "\n".join(shown)

    def end(self):
        """Nothing of the page was left out."""
        assert self.blocks == []


def people(sim):
    return {one.fields.user_name: one for one in sim.directory.users}


def crew(sim, name):
    """The members of a group by name; nobody while it is not there."""
    return {
        sim.directory.user(one).fields.user_name
        for found in sim.directory.groups.named(name)
        for one in found.fields.members
    }


def seed(sim, name):
    """Somebody whom TFE has, and nobody asked us; the id."""
    [made] = sow(sim.directory, {"users": [{"userName": name, "email": name}]})["users"]
    return made


async def found_at(idp, kind, attribute, name):
    """The id an identity provider finds when it matches by name."""
    [one] = (await idp.find(kind, f'{attribute} eq "{name}"')).body["Resources"]
    return one["id"]


async def test_put_under_a_live_idp(unlimited, tmp_path):
    async with Idp(unlimited.url, unlimited.token) as straight:
        ids = [await straight.create_user(f"user{number}@x.org") for number in range(5)]
        group = await straight.create_group("Crew", *ids[:3])
    (tmp_path / "tfe-token").write_text(unlimited.token)
    (tmp_path / "tfe-token").chmod(0o600)
    page = Reader("put-under-a-live-idp.md", tmp_path)
    settings_for(unlimited, tmp_path, **FAST)
    await page.type_block()
    async with relay_for(unlimited, tmp_path, **FAST) as relay:
        assert "import: complete" in await page.type_block()
        since = len(unlimited.log)
        for number, ident in enumerate(ids):
            name = f"user{number}@x.org"
            assert await found_at(relay.idp, "Users", "userName", name) == ident
        assert len(unlimited.log) == since
        await relay.idp.patch(f"/Users/{ids[0]}", deactivate())
        await relay.idp.patch(f"/Groups/{group}", add(ids[4]))
        await relay.settled()
        assert "differ" not in await page.type_block()
        writes = [one for one in unlimited.log.entries(after=since) if one.method != "GET"]
        assert [one.method for one in writes] == ["PATCH", "PATCH"]
    page.end()
    assert people(unlimited)["user0@x.org"].fields.active is False
    assert len(crew(unlimited, "Crew")) == 4


async def test_bypass_in_an_emergency_and_come_back(unlimited, tmp_path):
    page = Reader("bypass-in-an-emergency.md", tmp_path)
    async with relay_for(unlimited, tmp_path, **FAST) as relay:
        ids = [await relay.idp.create_user(f"user{number}@x.org") for number in range(5)]
        group = await relay.idp.create_group("Crew", *ids[:3])
        await relay.settled()
        await page.type_block()
        refused = await relay.idp.patch(f"/Users/{ids[0]}", deactivate())
        assert refused.status == 503
        await page.type_block()
        minted = [json.loads(line) for line in (await page.type_block()).splitlines()]
        assert {one["id"] for one in minted} == {*ids, group}
    async with Idp(unlimited.url, unlimited.token) as straight:
        assert (await straight.get(f"/Users/{ids[0]}")).status == 404
        gone = await found_at(straight, "Users", "userName", "user0@x.org")
        assert (await straight.patch(f"/Users/{gone}", deactivate())).status == 200
        late = await straight.create_user("late@x.org")
        there = await found_at(straight, "Groups", "displayName", "Crew")
        await straight.patch(f"/Groups/{there}", add(late))
        left = await found_at(straight, "Users", "userName", "user4@x.org")
        await straight.delete(f"/Users/{left}")
    async with relay_for(unlimited, tmp_path, **FAST, reconcile={"every": "1h"}) as relay:
        since = len(unlimited.log)
        await page.type_block()
        await page.type_block()
        await relay.free()
        page.end()
        assert (await relay.idp.get(f"/Users/{ids[0]}")).body["active"] is False
        assert (await relay.idp.get(f"/Users/{ids[4]}")).status == 404
        assert (await relay.idp.get(f"/Users/{late}")).status == 200
        assert (await relay.idp.patch(f"/Users/{gone}", deactivate())).status == 200
        members = (await relay.idp.get(f"/Groups/{group}")).body["members"]
        assert len(members) == 4
        await relay.idp.patch(f"/Users/{ids[1]}", deactivate())
        await relay.settled()
        writes = [one for one in unlimited.log.entries(after=since) if one.method != "GET"]
        assert [one.method for one in writes] == ["PATCH"]
    assert people(unlimited)["user1@x.org"].fields.active is False


async def test_what_waited_when_the_relay_was_bypassed_is_delivered_after_it(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, **FAST) as relay:
        ids = [await relay.idp.create_user(f"user{number}@x.org") for number in range(3)]
        await relay.settled()
        assert (await typed(tmp_path, "pause", "--reason", "bypass"))[0] == 0
        await relay.idp.patch(f"/Users/{ids[0]}", deactivate())
        seed(unlimited, "late@x.org")
        code, shown = await typed(tmp_path, "import", "--rebind", "--reason", "back")
        assert (code, "strangers: 1" in shown) == (0, True), shown
        assert people(unlimited)["user0@x.org"].fields.active is True
        await typed(tmp_path, "resume", "--reason", "back")
        await relay.settled()
    assert people(unlimited)["user0@x.org"].fields.active is False
    assert len(people(unlimited)) == 4


async def test_nothing_is_taken_over_while_the_relay_sends(unlimited, tmp_path):
    async with relay_for(unlimited, tmp_path, **FAST):
        code, shown = await typed(tmp_path, "import", "--rebind", "--reason", "why not")
    assert (code, "pause" in shown) == (1, True)


async def test_leave(unlimited, tmp_path):
    before = seed(unlimited, "before@x.org")
    page = Reader("leave.md", tmp_path)
    async with relay_for(unlimited, tmp_path, **FAST) as relay:
        ada = await relay.idp.create_user("ada@x.org")
        await relay.idp.create_group("Crew", ada, before)
        await page.type_block()
        await page.type_block()
        listed, *rest = (await page.type_block()).split("{", 1)
        assert ("ada@x.org" in listed, "before@x.org" in listed) == (True, False)
        assert "before@x.org" in rest[0]
    page.end()
    async with Idp(unlimited.url, unlimited.token) as straight:
        assert (await straight.get(f"/Users/{ada}")).status == 404
        known = await found_at(straight, "Users", "userName", "ada@x.org")
        assert (await straight.patch(f"/Users/{known}", deactivate())).status == 200
        assert (await straight.get(f"/Users/{before}")).status == 200
    assert crew(unlimited, "Crew") == {"ada@x.org", "before@x.org"}


@pytest.mark.parametrize("restored", [False, True])
async def test_rebuild(restored, unlimited, tmp_path):
    page = Reader("rebuild.md", tmp_path)
    async with relay_for(unlimited, tmp_path, **FAST) as relay:
        ids = [await relay.idp.create_user(f"user{number}@x.org") for number in range(6)]
        await relay.idp.create_group("Crew", *ids[:3])
        await relay.settled()
        unlimited.disable()
        (tmp_path / "tfe-token").write_text(unlimited.enable())
        if restored:
            seed(unlimited, "user0@x.org")
            seed(unlimited, "stranger@x.org")
        await relay.idp.patch(f"/Users/{ids[0]}", deactivate())
        await relay.held("foreign")
        assert "rebuild" in await page.type_block()
        assert "User: 6" in await page.type_block()
        assert f"adopted: {int(restored)}" in await page.type_block()
        await relay.settled()
        await until(lambda: len(crew(unlimited, "Crew")) == 3, 8)
        for ident in ids:
            assert (await relay.idp.get(f"/Users/{ident}")).status == 200
    page.end()
    assert people(unlimited)["user0@x.org"].fields.active is False
    assert len(people(unlimited)) == 6 + restored


def known_as(name, token):
    return {"name": name, "token_hash": hash_of(token), "scope": "own"}


async def test_one_tfe_is_shared_and_an_identity_provider_replaced_as_the_page_says(
    unlimited, tmp_path
):
    okta, entra = known_as("okta", TOKEN), known_as("entra", "entra-token-of-the-tests")
    page = Reader("share-one-tfe.md", tmp_path)
    async with relay_for(unlimited, tmp_path, connections=(okta, entra), **FAST) as relay:
        for name in ("eve@a.example.com", "bob@b.example.com"):
            await relay.idp.create_user(name)
        await relay.idp.create_group("Everybody")
        await relay.store.run(lambda tx: tx.run("UPDATE resource SET origin = 'import'"))
        await relay.idp.create_user("ada@example.com")
        await relay.idp.create_group("Platform")

        shown = await page.type_block()
        assert re.findall(r"transferred: (\d+)", shown) == ["1", "1", "2"]
        write_config(unlimited, tmp_path, connections=(okta, entra), **FAST)
        assert "connections" in await page.type_block()
        assert "transferred: 1" in await page.type_block()
        page.end()
        assert await relay.store.desk.owned() == {
            "entra": {"User": 2, "Group": 2},
            "nobody": {"User": 1},
        }


async def test_tokens_of_both_sides_are_rotated_as_the_page_says(tmp_path):
    settings = SimulatorSettings(
        limit=RateLimit(rate=0), admin_limits=AdminLimits(api=0, settings=0, links=0)
    )
    page = Reader("rotate-tokens.md", tmp_path)
    async with simulator(settings) as tfe:
        (tmp_path / "admin").write_text(tfe.site.people.issue())
        admin = {"url": tfe.admin_url, "token_file": str(tmp_path / "admin")}
        async with relay_for(tfe, tmp_path, admin_api=admin, **FAST) as relay:
            printed = dict(
                line.split(" = ", 1)
                for line in (await page.type_block()).splitlines()
                if " = " in line
            )
            hashes = {"token_hash": [hash_of(TOKEN), printed["token_hash"]]}
            write_config(tfe, tmp_path, admin_api=admin, connection=hashes, **FAST)
            assert "tokens: 2" in await page.type_block()
            base = f"http://127.0.0.1:{relay.parts.port}/scim/v2"
            async with Idp(base, printed["token"]) as renewed:
                await renewed.create_user("ada@example.com")
            assert "entra-2027" in await page.type_block()
            before = tfe.access.live_tokens()
            assert "new" in await page.type_block()
            page.end()
            assert tfe.access.live_tokens() != before
            await relay.idp.create_user("bob@example.com")
            await relay.settled()
    assert len(tfe.directory.users) == 2


async def test_audit(unlimited, tmp_path):
    page = Reader("audit.md", tmp_path)
    with capture_logs() as logs:
        async with relay_for(unlimited, tmp_path, **FAST) as relay:
            ids = [await relay.idp.create_user(f"{name}@x.org") for name in ("ada", "bob")]
            await relay.settled()
            await relay.idp.patch(f"/Users/{ids[1]}", deactivate())
            await relay.idp.delete(f"/Users/{ids[0]}")
            await relay.settled()
            shown = await page.type_block()
            assert "delivered: 2" in shown
            assert "ada@x.org" in shown
            heads = [json.dumps(one) for one in logs if one["event"] == "audit.head"]
            (tmp_path / "relay.log").write_text("\n".join(heads))
            assert "heads in log: 1" in await page.type_block()
            shown = await page.type_block()
            assert ("still mentioned: -" in shown, "broken: -" in shown) == (True, True)
            _, shown = await typed(tmp_path, "audit", "export")
            assert ("ada@x.org" in shown, "bob@x.org" in shown) == (False, True)
    page.end()
