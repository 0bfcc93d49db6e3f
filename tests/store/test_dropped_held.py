"""An operator drops what the guard holds, or what was written over a revocation (H3, S1)."""

import pytest
from support.idp import add, deactivate
from support.lab import lab_in
from test_guard import inactive, off, policy
from test_refusals import refuse

from relay.errors import Refused
from relay.rules.types import Kind
from relay.store.operate.held import Selection
from relay.store.operate.listing import ChangeFilter

WHY = ("ada (uid 1000)", "a test")


async def drop(lab, *changes):
    for one in changes:
        await lab.store.desk.drop(one.change, *WHY)


async def test_a_held_revocation_that_is_dropped_counts_no_longer(tmp_path):
    async with lab_in(tmp_path, guard=policy(deactivations=2)) as lab:
        people = await lab.users(6)
        await lab.run()
        await drop(lab, *await off(lab, *people[:3]))
        await off(lab, *people[4:])
        await lab.run()
        assert inactive(lab) == {"user00004@example.com", "user00005@example.com"}


async def test_nothing_is_held_for_a_trip_whose_last_held_change_was_dropped(tmp_path):
    async with lab_in(tmp_path, guard=policy(deletions=1, deactivations=1)) as lab:
        people = await lab.users(4)
        await lab.run()
        held = [await lab.delete(Kind.USER, one) for one in people[:2]]
        await drop(lab, *held)
        assert (await lab.store.snapshot()).tripped == 0
        await off(lab, people[3])
        await lab.run()
        assert inactive(lab) == {"user00003@example.com"}


async def test_a_held_deletion_is_dropped_whose_name_was_created_anew(tmp_path):
    async with lab_in(tmp_path, guard=policy(deletions=0)) as lab:
        ada = await lab.user("ada@example.com")
        await lab.run()
        deleted = await lab.delete(Kind.USER, ada)
        await lab.user("ada@example.com", externalId="anew")
        await drop(lab, deleted)
        await lab.run()
        assert lab.user_in_tfe("ada@example.com").external_id == "anew"
        assert await lab.store.run(lambda tx: tx.all("SELECT * FROM lane")) == []


async def test_a_suspension_is_a_revocation_still_when_the_edit_above_it_is_dropped(lab):
    refuse(lab, method="PATCH", body="false")
    [ada] = await lab.users(1)
    await lab.run()
    await off(lab, ada)
    await lab.run(most=1)
    dropped = await lab.patch(Kind.USER, ada, deactivate())
    await drop(lab, dropped)
    await lab.run()
    assert await lab.store.changes(ChangeFilter(state="parked")) == []


async def test_what_is_held_stays_held_when_its_repetition_is_dropped(tmp_path):
    async with lab_in(tmp_path, guard=policy(deactivations=1)) as lab:
        people = await lab.users(2)
        await lab.run()
        [held, _, again] = await off(lab, *people, people[0])
        await drop(lab, again)
        await lab.run()
        assert inactive(lab) == set()
        assert await lab.state(held.change) == "pending"


async def test_an_addition_waits_for_its_user_still_when_its_repetition_is_dropped(lab):
    [ada] = await lab.users(1)
    crew = await lab.group("Crew", ada)
    again = await lab.patch(Kind.GROUP, crew, add(ada))
    await drop(lab, again)
    await lab.run()
    assert lab.roster("Crew") == {"user00000@example.com"}


async def test_a_name_that_a_drop_gives_back_is_refused_to_who_was_to_take_it(lab):
    """The taker's creation is under way under another name: only its rename is refused (S2)."""
    ada = await lab.user("ada@example.com")
    await lab.run()
    bob = await lab.user("bob@example.com")
    claim = await lab.claim()
    moved = await lab.edit(ada, userName="byron@example.com")
    taken = await lab.edit(bob, userName="ada@example.com")
    await drop(lab, moved)
    assert await lab.state(taken.change) == "parked"
    await lab.finish(claim, await lab.send(claim.request))
    await lab.run()
    assert {one.fields.user_name for one in lab.tfe.directory.users} == {
        "ada@example.com",
        "bob@example.com",
    }
    assert (await lab.shadow(Kind.USER, bob))["userName"] == "bob@example.com"


async def test_an_edit_of_a_creation_that_is_held_does_not_bring_it_to_tfe(tmp_path):
    async with lab_in(tmp_path, guard=policy(protected_users=("ada@example.com",))) as lab:
        first = await lab.user("ada@example.com")
        await lab.store.desk.approve(Selection(), *WHY)
        await lab.run()
        await lab.delete(Kind.USER, first)
        ada = await lab.user("ada@example.com")
        emails = [{"value": "byron@example.com", "type": "work", "primary": True}]
        await lab.edit(ada, userName="byron@example.com", emails=emails)
        await lab.edit(ada, externalId="e-1")
        assert await lab.run(most=3) == []

        for _ in range(3):
            await lab.store.desk.approve(Selection(), *WHY)
            await lab.run()
        assert lab.user_in_tfe("byron@example.com").external_id == "e-1"


async def test_a_field_of_a_creation_under_way_returns_to_what_was_sent_or_is_sent(lab):
    ada = await lab.user("ada@example.com")
    claim = await lab.claim()
    answer = await lab.send(claim.request)
    await lab.edit(ada, externalId="e-1")
    dropped = await lab.edit(ada, externalId="e-2")
    with pytest.raises(Refused, match="is being sent"):
        await drop(lab, dropped)
    await lab.finish(claim, answer)
    await drop(lab, dropped)
    await lab.run()
    assert lab.user_in_tfe("ada@example.com").external_id == "e-1"


async def test_an_address_that_returns_to_tfes_word_is_read_as_tfe_has_it(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    await lab.edit(ada, emails=[{"value": "old@example.com", "type": "work", "primary": True}])
    deleted = await lab.delete(Kind.USER, ada)
    await drop(lab, deleted)
    moved = [{"value": "new@example.com", "type": "work", "primary": True}]
    await drop(lab, await lab.edit(ada, emails=moved))
    await lab.run()
    [address] = (await lab.shadow(Kind.USER, ada))["emails"]
    assert address["value"] == lab.user_in_tfe("ada@example.com").email
