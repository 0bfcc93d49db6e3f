"""What the guard held is asked about again when the DELETE that came over it is undone (H3, S4)."""

from support.idp import add, remove
from support.lab import lab_in
from test_guard import inactive, off, policy

from relay.rules.types import Kind
from relay.store.operate.held import Selection

WHY = ("ann (uid 1000)", "a test")
ALL = Selection()


async def held(lab):
    return [(one.name, one.key) for one in await lab.store.desk.held(ALL)]


async def suspended_then_deleted(lab):
    """Three people, suspended and then deleted, all of it held; the changes that deleted them."""
    people = (await lab.users(4))[:3]
    await lab.run()
    await off(lab, *people)
    deleted = [await lab.delete(Kind.USER, one) for one in people]
    await lab.run()
    assert [key for _, key in await held(lab)] == [0, 0, 0]
    return people, deleted


async def test_a_purge_that_is_rejected_suspends_nobody(tmp_path):
    async with lab_in(tmp_path, guard=policy(deactivations=1)) as lab:
        people, _ = await suspended_then_deleted(lab)
        await lab.store.desk.reject(ALL, *WHY)
        await lab.run()
        assert inactive(lab) == set()
        assert [key for _, key in await held(lab)] == [-3, -3, -3]
        await lab.store.desk.reject(ALL, *WHY)
        await lab.run()
        assert await held(lab) == []
        assert [(await lab.shadow(Kind.USER, one))["active"] for one in people] == [True] * 3


async def test_a_suspension_below_a_deletion_that_is_dropped_is_held_again_however_late(tmp_path):
    async with lab_in(tmp_path, guard=policy(deactivations=1)) as lab:
        people, deleted = await suspended_then_deleted(lab)
        lab.clock.turn(90_000)
        await off(lab, (await lab.users(1, "eve"))[0])
        await lab.store.desk.drop(deleted[0].change, *WHY)
        await lab.run()
        assert "user00000@example.com" not in inactive(lab)
        assert ("user00000@example.com", -3) in await held(lab)
        await lab.store.desk.approve(Selection(person=people[0]), *WHY)
        await lab.run()
        assert "user00000@example.com" in inactive(lab)


async def test_a_suspension_that_was_approved_is_sent_when_the_deletion_over_it_is_rejected(
    tmp_path,
):
    async with lab_in(tmp_path, guard=policy(deactivations=1, deletions=1)) as lab:
        people = await lab.users(2)
        await lab.run()
        await off(lab, *people)
        await lab.store.desk.approve(ALL, *WHY)
        for one in people:
            await lab.delete(Kind.USER, one)
        await lab.store.desk.reject(ALL, *WHY)
        await lab.run()
        assert len(inactive(lab)) == 2


async def test_a_group_whose_deletion_is_rejected_keeps_who_was_removed_under_the_guard(tmp_path):
    async with lab_in(tmp_path, guard=policy(removals=1)) as lab:
        people = await lab.users(4)
        crew = await lab.group("Crew", *people)
        await lab.run()
        for one in people[:3]:
            await lab.patch(Kind.GROUP, crew, remove(one))
        await lab.delete(Kind.GROUP, crew)
        for _ in range(2):
            await lab.store.desk.reject(ALL, *WHY)
            await lab.run()
        assert len(lab.roster("Crew")) == 4
        assert await lab.members(crew) == set(people)
        assert await held(lab) == []


async def test_a_protected_group_whose_deletion_is_dropped_gets_nothing_unasked(tmp_path):
    async with lab_in(tmp_path, guard=policy(protected_groups=("Admins",))) as lab:
        bob, eve = await lab.user("bob@example.com"), await lab.user("eve@example.com")
        admins = await lab.group("Admins", bob)
        await lab.store.desk.approve(ALL, *WHY)
        await lab.run()
        await lab.patch(Kind.GROUP, admins, add(eve))
        await lab.rename(admins, "Harmless")
        deleted = await lab.delete(Kind.GROUP, admins)
        await lab.store.desk.drop(deleted.change, *WHY)
        await lab.run()
        assert lab.roster("Admins") == {"bob@example.com"}
        assert len(await held(lab)) == 2
        await lab.store.desk.approve(ALL, *WHY)
        await lab.run()
        assert lab.roster("Harmless") == {"bob@example.com", "eve@example.com"}
