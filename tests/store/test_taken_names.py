"""Names that are freed by one change and taken by another never collide in TFE (S2, S3, S4)."""

import pytest
from support.idp import remove
from support.lab import Sending, lab_in
from test_refusals import refuse

from relay.errors import Refused
from relay.rules.guard import GuardPolicy
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.held import Selection
from relay.store.state.holds import HoldName


def refusals(sent: list[Sending]) -> list[int | None]:
    return [one.verdict.status for one in sent if (one.verdict.status or 0) >= 400]


async def test_a_name_that_a_rename_frees_can_be_taken_at_once(lab):
    first = await lab.group("one")
    await lab.run()

    await lab.rename(first, "two")
    await lab.group("one")
    sent = await lab.run()

    assert refusals(sent) == []
    assert sorted(lab.names().values()) == ["one", "two"]


async def test_two_groups_that_swap_their_names_end_with_each_others(lab):
    one, two = await lab.group("one"), await lab.group("two")
    await lab.run()
    ids = (await lab.target(one), await lab.target(two))

    await lab.rename(one, "aside")
    await lab.rename(two, "one")
    await lab.rename(one, "two")
    sent = await lab.run()

    assert refusals(sent) == []
    assert [lab.names()[ident] for ident in ids] == ["two", "one"]
    assert len(sent) == 3


async def test_three_groups_whose_names_go_round_break_the_ring_by_one_detour(lab):
    groups = [await lab.group(name) for name in "abc"]
    await lab.run()
    ids = [await lab.target(group) for group in groups]

    await lab.rename(groups[0], "aside")
    await lab.rename(groups[2], "a")
    await lab.rename(groups[1], "c")
    await lab.rename(groups[0], "b")
    sent = await lab.run()

    assert refusals(sent) == []
    assert [lab.names()[ident] for ident in ids] == ["b", "c", "a"]
    assert len(sent) == 4


async def test_names_are_compared_without_regard_to_case(lab):
    one = await lab.group("Engineering")
    await lab.run()

    with pytest.raises(Refused) as refused:
        await lab.group("ENGINEERING")
    await lab.rename(one, "engineering")
    sent = await lab.run()

    assert (refused.value.status, refused.value.scim_type) == (409, "uniqueness")
    assert refusals(sent) == []
    assert list(lab.names().values()) == ["engineering"]


async def test_a_deleted_name_is_created_again_strictly_after_the_deletion(lab):
    user = await lab.user("ada@example.com")
    await lab.run()
    was = await lab.target(user)

    await lab.delete(Kind.USER, user)
    again = await lab.user("ada@example.com")
    sent = await lab.run()

    assert again != user
    assert [one.line for one in sent] == [f"DELETE /Users/{was}", "POST /Users"]
    assert await lab.target(again) != was
    assert lab.user_in_tfe("ada@example.com") is not None


async def test_a_name_that_tfe_did_not_free_parks_whoever_wants_it_and_nobody_else(lab):
    holder = await lab.group("one")
    await lab.run()
    lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=400, detail="no such name"),
        Match(method="PATCH", body='"two"', count=None),
    )

    renamed = await lab.rename(holder, "two")
    other = await lab.group("one")
    await lab.group("three")
    await lab.run()

    assert await lab.state(renamed.change) == "parked"
    assert sorted(lab.names().values()) == ["one", "three"]
    assert (await lab.shadow(Kind.GROUP, holder))["displayName"] == "one"
    assert await lab.shadow(Kind.GROUP, other) is None
    assert (await lab.counters())["parked"] == 2


async def test_a_creation_whose_rename_is_held_waits_for_the_name_that_it_brings(tmp_path):
    protected = GuardPolicy(3600.0, {}, protected_groups=("boss",))
    async with lab_in(tmp_path, guard=protected) as lab:
        first = await lab.group("one")
        await lab.run()
        slow = Fault(kind=FaultKind.STATUS, status=500)
        lab.tfe.faults.add(slow, Match(method="PATCH", count=1))
        await lab.rename(first, "aside")
        second = await lab.group("one")
        await lab.rename(second, "boss")
        sent = await lab.run()

        assert refusals(sent) == [500]
        assert sorted(lab.names().values()) == ["aside", "one"]
        assert (await lab.counters())["parked"] == 0


async def test_a_ring_with_such_a_creation_in_it_is_broken_by_one_that_tfe_has(tmp_path):
    protected = GuardPolicy(3600.0, {}, protected_groups=("boss",))
    async with lab_in(tmp_path, guard=protected) as lab:
        first, second = await lab.group("a"), await lab.group("x")
        await lab.run()
        await lab.rename(first, "aside")
        third = await lab.group("a")
        await lab.rename(third, "boss")
        await lab.rename(second, "a")
        await lab.rename(first, "x")
        sent = await lab.run()
        assert min(lab.names().values()) == "a"
        await lab.store.desk.approve(Selection(), "op", "a test")
        sent += await lab.run()

        assert refusals(sent) == []
        assert sorted(lab.names().values()) == ["a", "boss", "x"]


async def test_two_such_creations_of_one_name_do_not_wait_for_each_other(tmp_path):
    protected = GuardPolicy(3600.0, {}, protected_groups=("boss", "chief"))
    async with lab_in(tmp_path, guard=protected) as lab:
        for name in ("boss", "chief"):
            await lab.rename(await lab.group("a"), name)
        sent = await lab.run()
        assert sorted(lab.names().values()) == ["a"]
        await lab.store.desk.approve(Selection(), "op", "a test")
        sent += await lab.run()

        assert refusals(sent) == []
        assert sorted(lab.names().values()) == ["boss", "chief"]


async def test_who_waited_for_a_name_that_never_reached_tfe_goes_on(lab):
    """The attempt that might have brought it was given back; nothing else is sent for its group."""
    first = await lab.group("one")
    lab.clock.turn(1.0)
    claim = await lab.claim()
    await lab.rename(first, "two")
    await lab.group("one")
    await lab.store.release(claim)
    await lab.delete(Kind.GROUP, first)
    await lab.run()

    assert list(lab.names().values()) == ["one"]
    assert (await lab.counters())["pending"] == 0


@pytest.mark.parametrize("ends", ["delivered", "throttled"])
async def test_a_name_in_doubt_stays_so_whatever_becomes_of_other_keys_meanwhile(tmp_path, ends):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
        one, two = await lab.group("one", ada), await lab.group("two")
        await lab.run()
        lab.tfe.faults.add(Fault(kind=FaultKind.RESET_AFTER), Match(method="PATCH", count=1))
        await lab.rename(one, "new")
        lab.clock.turn(1)
        await lab.step()  # it has the name now, and nobody knows
        if ends == "throttled":
            busy = Fault(kind=FaultKind.STATUS, status=429, retry_after="1")
            lab.tfe.faults.add(busy, Match(method="PATCH", count=1))
        await lab.patch(Kind.GROUP, one, remove(ada))
        await lab.step()
        await lab.store.lift(HoldName.THROTTLED)
        await lab.rename(one, "one")
        await lab.rename(two, "new")
        lab.clock.turn(0.3)
        await lab.run(within_s=300)

        assert 409 not in refusals(lab.sent)
        assert sorted(lab.names().values()) == ["new", "one"]
        assert (await lab.counters())["parked"] == 0


async def swapped(lab, one, other):
    """Two users swap their names, as an identity provider has to do it."""
    await lab.edit(one, userName="aside@x.org")
    await lab.edit(other, userName="ann@x.org")
    await lab.edit(one, userName="bob@x.org")


async def name_of(lab, identifier):
    return lab.tfe.directory.user(await lab.target(identifier)).fields.user_name


async def test_a_refused_plan_is_taken_apart_while_its_rename_waits_for_a_name(lab):
    ann, bob = await lab.user("ann@x.org"), await lab.user("bob@x.org")
    await lab.run()
    refuse(lab, method="PATCH", body="bad@x.org")

    await lab.edit(bob, active=False)
    bad = await lab.edit(bob, emails=[{"value": "bad@x.org", "primary": True}])
    await swapped(lab, ann, bob)
    await lab.run()

    assert await lab.state(bad.change) == "parked"
    assert [await name_of(lab, one) for one in (ann, bob)] == ["bob@x.org", "ann@x.org"]
    assert not lab.user_in_tfe("ann@x.org").active
    assert (await lab.counters())["pending"] == 0


async def test_a_ring_of_names_is_broken_though_a_revocation_in_it_is_owed(lab):
    ann, bob = await lab.user("ann@x.org"), await lab.user("bob@x.org")
    await lab.run()
    rule = refuse(lab, method="PATCH", body="active")

    owed = await lab.edit(bob, active=False)
    await lab.run(1)
    await swapped(lab, ann, bob)
    await lab.run(within_s=2.0)

    assert [await name_of(lab, one) for one in (ann, bob)] == ["bob@x.org", "ann@x.org"]
    assert await lab.state(owed.change) == "pending"
    lab.tfe.faults.remove(rule.ident)
    await lab.run()
    assert not lab.user_in_tfe("ann@x.org").active
