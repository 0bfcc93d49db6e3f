"""Additions that the guard holds while TFE refuses their user: left out, and asked about again."""

from support.idp import add
from support.lab import lab_in
from test_guard import policy
from test_refusals import refuse
from test_retry_and_drop import parked_change, parked_user

from relay.rules.types import Kind
from relay.store.operate.held import Selection
from relay.store.operate.listing import ChangeFilter

WHY = ("ann (uid 1000)", "a test")
ALL = Selection()
GROUP = policy(protected_groups=("Admins",))
PERSON = policy(protected_users=("ada@example.com",))
BOB, ADA = "bob@example.com", "ada@example.com"


async def approve(lab):
    await lab.store.desk.approve(ALL, *WHY)
    await lab.run()


async def group_of_bob(lab):
    """A group that is in TFE, with one member."""
    group = await lab.group("Admins", await lab.user(BOB))
    await approve(lab)
    return group


async def added_and_refused(lab, group):
    """A user whom TFE is going to refuse, and the change that adds them to the group."""
    refuse(lab, method="POST", body=ADA)
    ada = await lab.user(ADA)
    return ada, await lab.patch(Kind.GROUP, group, add(ada))


async def retry_creation(lab):
    lab.tfe.faults.clear()
    await lab.store.desk.retry(await parked_change(lab), *WHY)
    await lab.run()
    assert lab.user_in_tfe(ADA) is not None


async def joins_once_approved(lab, admins, ada, why):
    """The guard holds the addition, though no change is pending; then it goes."""
    assert lab.roster("Admins") == {BOB}
    [held] = await lab.store.desk.held(ALL)
    assert (held.name, held.member, held.why) == ("Admins", ADA, f"protected {why}")
    assert ada in await lab.members(admins)
    await approve(lab)
    assert lab.roster("Admins") == {ADA, BOB}
    await nothing_is_left(lab)


async def nothing_is_left(lab):
    assert (await lab.store.snapshot()).held == 0
    left = "SELECT resource, key, state FROM effect WHERE state <> 'parked'"
    assert await lab.store.run(lambda tx: tx.all(left)) == []
    assert (await lab.counters())["pending"] == 0


async def test_a_held_addition_waits_no_longer_once_its_users_creation_is_refused(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        admins = await group_of_bob(lab)
        ada, added = await added_and_refused(lab, admins)
        await lab.run()
        assert await lab.state(added.change) == "delivered"
        assert ada not in await lab.members(admins)
        await nothing_is_left(lab)


async def test_a_held_addition_that_was_left_out_is_held_again_when_its_user_exists(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        admins = await group_of_bob(lab)
        ada, _ = await added_and_refused(lab, admins)
        await lab.run()
        await retry_creation(lab)
        await joins_once_approved(lab, admins, ada, "Admins")


async def test_who_was_added_to_a_protected_group_while_parked_does_not_join_unasked(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        admins = await group_of_bob(lab)
        ada, _ = await parked_user(lab)
        await lab.patch(Kind.GROUP, admins, add(ada))
        await lab.run()
        await retry_creation(lab)
        await joins_once_approved(lab, admins, ada, "Admins")


async def test_an_approved_addition_that_was_left_out_is_asked_about_again(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        admins = await group_of_bob(lab)
        ada, _ = await added_and_refused(lab, admins)
        await approve(lab)
        await nothing_is_left(lab)
        await retry_creation(lab)
        await joins_once_approved(lab, admins, ada, "Admins")


async def test_a_protected_user_whose_creation_is_retried_joins_groups_only_once_approved(tmp_path):
    async with lab_in(tmp_path, guard=PERSON) as lab:
        admins = await group_of_bob(lab)
        ada, _ = await added_and_refused(lab, admins)
        await lab.store.desk.approve(Selection(change=await creation(lab)), *WHY)
        await lab.run()
        await nothing_is_left(lab)
        lab.tfe.faults.clear()
        parked = await parked_change(lab)
        await lab.store.desk.retry(parked, *WHY)
        await lab.run()
        assert lab.user_in_tfe(ADA) is None
        await lab.store.desk.approve(Selection(change=parked), *WHY)
        await lab.run()
        await joins_once_approved(lab, admins, ada, ADA)


async def creation(lab):
    """The number of the newest user's creation."""
    found = await lab.store.changes(ChangeFilter(kind="User", state="pending"))
    return max(one["id"] for one in found)


async def test_who_was_refused_when_a_protected_group_was_created_joins_it_once_approved(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        ada, _ = await parked_user(lab)
        admins = await lab.group("Admins", await lab.user(BOB), ada)
        await approve(lab)
        await retry_creation(lab)
        await joins_once_approved(lab, admins, ada, "Admins")


async def test_an_addition_that_is_held_again_can_be_rejected(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        admins = await group_of_bob(lab)
        ada, _ = await parked_user(lab)
        await lab.patch(Kind.GROUP, admins, add(ada))
        await retry_creation(lab)
        await lab.store.desk.reject(ALL, *WHY)
        await lab.run()
        assert ada not in await lab.members(admins)
        assert lab.roster("Admins") == {BOB}
        await nothing_is_left(lab)


async def test_who_joins_late_leaves_what_was_approved_of_a_protected_group_alone(tmp_path):
    async with lab_in(tmp_path, guard=GROUP) as lab:
        admins = await group_of_bob(lab)
        ada, _ = await parked_user(lab)
        eve = await lab.user("eve@example.com")
        await lab.run()
        await lab.patch(Kind.GROUP, admins, add(ada), add(eve))
        await lab.store.desk.approve(ALL, *WHY)
        lab.tfe.faults.clear()
        await lab.store.desk.retry(await parked_change(lab), *WHY)
        claim = await lab.claim()
        assert claim.request.path == "/Users"
        await lab.finish(claim, await lab.send(claim.request))
        assert [one.member for one in await lab.store.desk.held(ALL)] == [ADA]
        await lab.run()
        assert lab.roster("Admins") == {BOB, "eve@example.com"}
