"""A write that changes nothing has TFE asked whether it still has it so."""

from dataclasses import replace

from support.idp import add
from support.lab import lab_in

from relay.rules.types import Kind
from relay.store.state.checking import CHECK_AFTER_S


def lines(sent):
    return [one.line for one in sent]


async def test_what_somebody_changed_in_tfe_comes_back_when_the_idp_repeats_itself(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com", externalId="e1")
        await lab.run()
        lab.clock.turn(CHECK_AFTER_S + 1)
        [found] = lab.tfe.directory.users.named("ada@example.com")
        lab.tfe.directory.update_user(found, replace(found.fields, external_id="meddled"))
        accepted = await lab.edit(ada, externalId="e1")
        assert await lab.state(accepted.change) == "delivered"

        sent = await lab.run()

        assert [line.split("/")[0] for line in lines(sent)] == ["GET ", "PATCH "]
        assert lab.user_in_tfe("ada@example.com").external_id == "e1"


async def test_a_member_that_is_added_again_is_added_where_tfe_has_lost_it(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada, bob = await lab.users(2)
        crew = await lab.group("Crew", ada, bob)
        await lab.run()
        lab.clock.turn(CHECK_AFTER_S + 1)
        [found] = lab.tfe.directory.groups.named("Crew")
        lab.tfe.directory.update_group(found, replace(found.fields, members={}))
        await lab.patch(Kind.GROUP, crew, add(ada))

        await lab.run()

        assert len(lab.roster("Crew")) == 2


async def test_what_tfe_told_lately_is_not_asked_for(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com", externalId="e1")
        await lab.run()
        lab.clock.turn(CHECK_AFTER_S - 60)
        await lab.edit(ada, externalId="e1")
        assert await lab.run() == []
        lab.clock.turn(120)
        for _ in range(3):
            await lab.edit(ada, externalId="e1")
        assert len(await lab.run()) == 1
        await lab.edit(ada, externalId="e1")
        assert await lab.run() == []


async def test_a_check_waits_until_nothing_else_is_to_be_sent(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com", externalId="e1")
        await lab.run()
        lab.clock.turn(CHECK_AFTER_S + 1)
        await lab.edit(ada, externalId="e1")
        await lab.users(3)

        assert [line.split(" ")[0] for line in lines(await lab.run())] == ["POST"] * 3 + ["GET"]


async def test_thousands_that_are_to_be_checked_and_that_tfe_does_not_have_stop_nothing(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.users(1500)
        await lab.store.run(
            lambda tx: tx.run("INSERT INTO verification SELECT id, 0 FROM resource")
        )
        await lab.store.run(lambda tx: tx.run("UPDATE lane SET state = 'blocked'"))

        assert (await lab.claim()).next_due is None
