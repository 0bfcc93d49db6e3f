"""An operator tries a parked change again, or ends one for good (S1, S2, S5)."""

import pytest
from support.idp import add, deactivate, remove, user
from test_refusals import refuse

from relay.errors import Refused
from relay.rules.types import Kind
from relay.simulator import Fault, FaultKind, Match
from relay.store.edits.answering import mark_told
from relay.store.operate.listing import ChangeFilter

WHY = ("ada (uid 1000)", "a test")


async def parked_user(lab, name="ada@example.com"):
    """A user whose creation TFE refused, and the rule that refuses it."""
    rule = refuse(lab, method="POST", body=name)
    ada = await lab.user(name)
    await lab.run()
    assert lab.user_in_tfe(name) is None
    return ada, rule


async def parked_change(lab):
    [found] = await lab.store.changes(ChangeFilter(state="parked"))
    return found["id"]


async def test_a_parked_creation_that_is_retried_is_created_under_the_same_id(lab):
    ada, _ = await parked_user(lab)
    lab.tfe.faults.clear()
    tried = await lab.store.desk.retry(await parked_change(lab), *WHY)
    assert (await lab.shadow(Kind.USER, ada))["userName"] == "ada@example.com"
    await lab.run()

    assert [await lab.state(one) for one in tried] == ["delivered"]
    assert lab.user_in_tfe("ada@example.com") is not None
    await lab.counters()


async def test_edits_that_were_parked_with_a_creation_come_back_with_it(lab):
    refuse(lab, method="POST", body="ada")
    ada = await lab.user("ada@example.com")
    crew = await lab.group("Crew", ada)
    edit = await lab.edit(ada, externalId="e-1")
    await lab.run()
    parked = sorted(one["id"] for one in await lab.store.changes(ChangeFilter(state="parked")))
    assert edit.change in parked

    lab.tfe.faults.clear()
    assert await lab.store.desk.retry(parked[0], *WHY) == parked
    await lab.run()
    assert lab.user_in_tfe("ada@example.com").external_id == "e-1"
    assert lab.roster("Crew") == {"ada@example.com"}
    assert crew
    counters = await lab.counters()
    assert (counters["parked"], counters["pending"]) == (0, 0)


async def test_a_retried_creation_whose_members_were_parked_with_it_gets_them(lab):
    people = await lab.users(3)
    await lab.run()
    refuse(lab, method="POST", body="Crew")
    crew = await lab.group("Crew", *people[:2])
    await lab.patch(Kind.GROUP, crew, add(people[2]))
    await lab.run()
    parked = sorted(one["id"] for one in await lab.store.changes(ChangeFilter(state="parked")))

    lab.tfe.faults.clear()
    await lab.store.desk.retry(parked[0], *WHY)
    await lab.run()
    assert len(lab.roster("Crew")) == 3
    await lab.counters()


async def test_a_retry_leaves_the_keys_alone_that_later_changes_wrote(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    refuse(lab, method="PATCH", body="byron")
    renamed = await lab.edit(ada, userName="byron@example.com", externalId="old")
    await lab.run()
    assert await lab.state(renamed.change) == "parked"
    lab.tfe.faults.clear()
    await lab.edit(ada, externalId="new")
    await lab.run()
    await lab.store.desk.retry(renamed.change, *WHY)
    await lab.run()

    assert lab.user_in_tfe("byron@example.com").external_id == "new"
    assert await lab.state(renamed.change) == "delivered"
    await lab.counters()


async def test_a_retried_addition_passes_over_whoever_was_deleted_since(lab):
    ada, bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
    crew = await lab.group("Crew")
    await lab.run()
    rule = refuse(lab, method="PATCH", path="/Groups")
    await lab.patch(Kind.GROUP, crew, add(ada, bob))
    await lab.run()
    parked = await parked_change(lab)
    lab.tfe.faults.remove(rule.ident)

    await lab.delete(Kind.USER, ada)
    await lab.run()
    await lab.store.desk.retry(parked, *WHY)
    await lab.run()

    assert lab.roster("Crew") == {"bob@example.com"}
    assert await lab.members(crew) == {bob}
    assert (await lab.counters())["pending"] == 0


async def test_a_creation_is_not_retried_onto_a_name_that_is_taken_now(lab):
    _, _ = await parked_user(lab)
    lab.tfe.faults.clear()
    change = await parked_change(lab)
    other = await lab.user("bob@example.com")
    await lab.edit(other, userName="ada@example.com")
    await lab.run()

    with pytest.raises(Refused, match="another User has the userName"):
        await lab.store.desk.retry(change, *WHY)
    assert await lab.state(change) == "parked"


async def test_what_waits_after_failures_goes_at_once_when_it_is_retried(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    refuse(lab, method="PATCH", status=400)
    off = await lab.patch(Kind.USER, ada, deactivate())
    await lab.run(within_s=3)
    lab.tfe.faults.clear()
    assert lab.user_in_tfe("ada@example.com").active is True
    await lab.store.desk.retry(off.change, *WHY)
    sent = await lab.run(within_s=0)

    assert [one.line for one in sent][:1] == [f"PATCH /Users/{await lab.target(ada)}"]
    assert lab.user_in_tfe("ada@example.com").active is False


async def test_a_delivered_change_has_nothing_to_retry_or_drop(lab):
    await lab.user("ada@example.com")
    await lab.run()
    [change] = await lab.store.changes()
    for order in (lab.store.desk.retry, lab.store.desk.drop):
        with pytest.raises(Refused, match="is delivered"):
            await order(change["id"], *WHY)


async def test_a_group_does_not_wait_for_a_member_whose_creation_was_refused(lab):
    ada, _ = await parked_user(lab)
    bob = await lab.user("bob@example.com")
    await lab.run()
    parked = await parked_change(lab)
    crew = await lab.group("Crew", ada)
    joined = await lab.patch(Kind.GROUP, crew, add(bob))
    await lab.run()
    assert await lab.state(joined.change) == "delivered"
    assert lab.roster("Crew") == {"bob@example.com"}
    assert await lab.members(crew) == {bob}

    lab.tfe.faults.clear()
    await lab.store.desk.retry(parked, *WHY)
    await lab.run()
    assert lab.roster("Crew") == {"ada@example.com", "bob@example.com"}
    assert (await lab.counters())["pending"] == 0


async def test_a_member_that_waited_is_left_out_when_its_creation_is_refused(lab):
    refuse(lab, method="POST", body="ada@example.com")
    ada, bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
    crew = await lab.group("Crew", ada, bob)
    await lab.run()
    assert lab.roster("Crew") == {"bob@example.com"}
    assert (await lab.counters())["pending"] == 0

    lab.tfe.faults.clear()
    again = await lab.user("ada@example.com", externalId="2")
    await lab.run()
    assert again == ada
    assert lab.roster("Crew") == {"ada@example.com", "bob@example.com"}
    assert crew


# --- S2: a name that was not freed after all -----------------------------------------------


async def swapped(lab):
    """Bob takes the name that Ada gives up; TFE refuses to rename Ada."""
    ada = await lab.user("ada@example.com")
    await lab.run()
    refuse(lab, method="PATCH", body="byron")
    renamed = await lab.edit(ada, userName="byron@example.com")
    bob = await lab.user("ada@example.com", externalId="bob")
    created = (await lab.store.changes())[0]["id"]
    await lab.run()
    return ada, bob, renamed.change, created


async def test_who_took_a_name_that_was_not_freed_is_parked_with_the_cause(lab):
    _, bob, cause, created = await swapped(lab)

    found = await lab.store.change(created)
    assert found["state"] == "parked"
    assert f"name still held by {_}, change {cause}" in found["detail"]
    assert not [one for one in lab.sent if one.line == "POST /Users" and "bob" in str(one.body)]
    assert await lab.shadow(Kind.USER, bob) is None


async def test_a_dependent_heals_when_its_cause_is_retried(lab):
    _, bob, cause, created = await swapped(lab)
    lab.tfe.faults.clear()
    assert await lab.store.desk.retry(cause, *WHY) == [cause, created]
    await lab.run()

    assert lab.user_in_tfe("byron@example.com") is not None
    assert lab.user_in_tfe("ada@example.com").external_id == "bob"
    assert (await lab.shadow(Kind.USER, bob))["externalId"] == "bob"
    await lab.counters()


# --- drop ------------------------------------------------------------------------------------


async def test_a_dropped_creation_is_gone_and_no_group_waits_for_it(lab):
    ada, _ = await parked_user(lab)
    bob = await lab.user("bob@example.com")
    crew = await lab.group("Crew", bob)
    await lab.run()
    await lab.store.desk.drop(await parked_change(lab), *WHY)
    await lab.run()

    assert await lab.shadow(Kind.USER, ada) is None
    assert await lab.members(crew) == {bob}
    counters = await lab.counters()
    assert (counters["dropped"], counters["pending"]) == (1, 0)


async def test_a_revocation_that_tfe_refuses_is_owed_until_it_is_dropped(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    refuse(lab, method="PATCH", status=400)
    off = await lab.patch(Kind.USER, ada, deactivate())
    for _ in range(72):
        await lab.run(within_s=3600)
        lab.clock.turn(3600)
    assert await lab.state(off.change) == "pending"
    assert (await lab.store.snapshot()).owed == 1

    await lab.store.desk.drop(off.change, *WHY)
    await lab.run()
    assert await lab.state(off.change) == "dropped"
    assert (await lab.shadow(Kind.USER, ada))["active"] is True
    assert (await lab.store.snapshot()).owed == 0
    [difference] = await lab.store.desk.rejected()
    assert (difference["name"], difference["reason"]) == ("ada@example.com", "a test")
    await lab.counters()


async def test_a_dropped_removal_leaves_the_member_in(lab):
    people = await lab.users(2)
    crew = await lab.group("Crew", *people)
    await lab.run()
    refuse(lab, method="PATCH", status=400)
    gone = await lab.patch(Kind.GROUP, crew, remove(people[0]))
    await lab.run(within_s=3)
    await lab.store.desk.drop(gone.change, *WHY)
    lab.tfe.faults.clear()
    await lab.run(within_s=3600)

    assert await lab.members(crew) == set(people)
    assert len(lab.roster("Crew")) == 2
    await lab.counters()


async def test_a_dropped_deletion_brings_the_user_back(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    refuse(lab, method="DELETE", status=400)
    gone = await lab.delete(Kind.USER, ada)
    await lab.run(within_s=3)
    await lab.store.desk.drop(gone.change, *WHY)
    await lab.run(within_s=3600)

    assert (await lab.shadow(Kind.USER, ada))["userName"] == "ada@example.com"
    assert lab.user_in_tfe("ada@example.com") is not None
    await lab.counters()


async def test_a_pending_change_that_is_dropped_returns_to_the_one_before_it(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    first = await lab.edit(ada, externalId="one")
    second = await lab.edit(ada, externalId="two")
    await lab.store.desk.drop(second.change, *WHY)
    await lab.run()

    assert lab.user_in_tfe("ada@example.com").external_id == "one"
    assert await lab.state(first.change) == "delivered"
    assert await lab.state(second.change) == "dropped"
    await lab.counters()


async def test_a_dropped_change_that_nobody_sent_costs_nothing(lab):
    ada = await lab.user("ada@example.com")
    change = (await lab.store.changes())[0]["id"]
    await lab.store.desk.drop(change, *WHY)
    await lab.run()

    assert lab.sent == []
    assert await lab.shadow(Kind.USER, ada) is None
    await lab.counters()


async def test_a_deletion_in_doubt_that_is_dropped_is_verified(lab):
    ada = await lab.user("ada@example.com")
    await lab.run()
    lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="DELETE"))
    gone = await lab.delete(Kind.USER, ada)
    await lab.step()
    await lab.store.desk.drop(gone.change, *WHY)
    await lab.run(within_s=400)

    assert lab.user_in_tfe("ada@example.com") is not None
    assert (await lab.shadow(Kind.USER, ada))["userName"] == "ada@example.com"


IN_DOUBT = {
    "suspended": lambda lab, ada, _bob, _crew: lab.patch(Kind.USER, ada, deactivate()),
    "renamed": lambda lab, ada, _bob, _crew: lab.edit(ada, userName="ann@example.com"),
    "left": lambda lab, ada, _bob, crew: lab.patch(Kind.GROUP, crew, remove(ada)),
    "joined": lambda lab, _ada, bob, crew: lab.patch(Kind.GROUP, crew, add(bob)),
    "deleted": lambda lab, ada, _bob, _crew: lab.delete(Kind.USER, ada),
}


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("what", IN_DOUBT)
async def test_tfe_ends_as_it_was_when_what_it_may_have_done_is_dropped(lab, what, late):
    """Late: TFE does it only after the read that the drop has it asked (K2)."""
    ada, bob = await lab.user("ada@example.com"), await lab.user("bob@example.com")
    crew = await lab.group("Crew", ada)
    await lab.run()
    kind = FaultKind.SLOW_BEFORE if late else FaultKind.RESET_AFTER
    lab.tfe.faults.add(Fault(kind=kind), Match(method="DELETE" if what == "deleted" else "PATCH"))
    written = await IN_DOUBT[what](lab, ada, bob, crew)
    await lab.run(within_s=0.3) if what == "joined" else await lab.step()
    await lab.store.desk.drop(written.change, *WHY)
    await lab.run(within_s=3)
    await lab.late_requests_end()
    await lab.run(within_s=400)

    assert lab.user_in_tfe("ada@example.com").active is True
    assert lab.roster("Crew") == {"ada@example.com"}
    assert await lab.members(crew) == {ada}
    assert (await lab.shadow(Kind.USER, ada))["active"] is True
    counters = await lab.counters()
    assert (counters["dropped"], counters["pending"]) == (1, 0)


async def test_an_id_stays_valid_when_its_revival_is_refused_live(lab):
    refuse(lab, method="POST", body="ada@example.com")
    ada = await lab.user("ada@example.com")
    await lab.run()
    crew = await lab.group("Crew", ada)
    await lab.run()
    await lab.store.run(lambda tx: mark_told(tx, 1, 0))
    reply = await lab.post(user("ada@example.com"), waits=True)
    assert reply == ada
    await lab.run()
    lab.tfe.faults.clear()

    again = await lab.user("ada@example.com")
    await lab.run()
    assert again == ada
    assert lab.roster("Crew") == {"ada@example.com"}
    assert crew
    await lab.counters()
