"""What a rebuild binds to what, and what it makes of groups that TFE holds in parts."""

from dataclasses import replace

import pytest
from support.idp import add, remove
from support.lab import lab_in

from relay.delivery.importer import PAGE, listed
from relay.rules import reads
from relay.rules.types import Kind
from relay.rules.verdict import Sent, judge
from relay.store.compare import rebuilding
from relay.store.compare.comparison import sweeping


async def rebuilt(lab, *, rebind=False):
    """Read TFE and unlearn what is not there, as the rebuilder does; where it stands then."""
    at = await lab.store.run(lambda tx: rebuilding.begin(tx, "test", rebind=rebind))
    while not at.done:
        assert at == await lab.store.run(lambda tx: rebuilding.read(tx.connection))
        if at.start is None:
            at = await lab.store.run(lambda tx, at=at: rebuilding.unlearn(tx, at))
            continue
        request = reads.page(at.kind, at.start, PAGE)
        page = listed(at.kind, judge(Sent.of(request), await lab.send(request)))
        at = await lab.store.run(
            lambda tx, at=at, page=page: rebuilding.take_page(tx, at, page.resources, page.total)
        )
    if rebind:
        await lab.store.desk.follow_target("test")
    await lab.store.run(lambda tx: rebuilding.have_groups_wait(tx, 10))
    # A death up to here is followed by all of this again.
    assert not (await lab.store.run(lambda tx: rebuilding.read(tx.connection))).done
    await lab.store.run(lambda tx: rebuilding.end(tx, at))
    return at


def moved(lab):
    """TFE holds the same under other ids."""
    directory = lab.tfe.directory
    users, groups = list(directory.users), list(directory.groups)
    directory.wipe()
    ids = {one.stamp.id: directory.create_user(one.fields).stamp.id for one in users}
    for one in groups:
        members = {ids[member]: None for member in one.fields.members}
        directory.create_group(replace(one.fields, members=members))


def parts(lab):
    names = {one.stamp.id: one.fields.user_name for one in lab.tfe.directory.users}
    return {
        one.fields.display_name: {names[member] for member in one.fields.members}
        for one in lab.tfe.directory.groups
    }


@pytest.mark.parametrize("wiped", [True, False])
async def test_a_group_in_parts_is_in_the_same_parts_afterwards(wiped, tmp_path):
    async with lab_in(tmp_path, part=10) as lab:
        people = await lab.users(25)
        crew = await lab.group("Crew", *people)
        await lab.run()
        before = parts(lab)
        if wiped:
            lab.tfe.directory.wipe()
        else:
            moved(lab)
        at = await rebuilt(lab)
        sent = await lab.run(within_s=60)

        assert parts(lab) == before
        assert at.adopted == (0 if wiped else 28)
        assert len(sent) == (28 if wiped else 0)
        await lab.patch(Kind.GROUP, crew, remove(people[24]))
        await lab.run(within_s=60)
        assert sum(map(len, parts(lab).values())) == 24


async def test_a_pending_deletion_is_sent_where_its_user_is_there_still(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada, bob = await lab.users(2)
        await lab.run()
        moved(lab)
        lab.tfe.directory.delete_user(next(iter(lab.tfe.directory.users)).stamp.id)
        gone = [await lab.delete(Kind.USER, one) for one in (ada, bob)]
        await rebuilt(lab)
        sent = await lab.run()

        assert [one.method for one in sent] == ["DELETE"]
        assert len(lab.tfe.directory.users) == 0
        assert [await lab.state(one.change) for one in gone] == ["delivered"] * 2


async def test_whom_tfe_has_under_the_old_name_is_renamed_and_not_created_beside(tmp_path):
    async with lab_in(tmp_path) as lab:
        ada = await lab.user("ada@example.com")
        await lab.run()
        moved(lab)
        await lab.edit(ada, userName="lovelace@example.com")
        await rebuilt(lab)
        sent = await lab.run()

        assert [one.method for one in sent] == ["PATCH"]
        assert [one.fields.user_name for one in lab.tfe.directory.users] == ["lovelace@example.com"]


async def test_what_nobody_here_knows_is_reported_and_left_alone(tmp_path):
    async with lab_in(tmp_path) as lab:
        await lab.user("ada@example.com")
        await lab.run()
        moved(lab)
        [found] = lab.tfe.directory.users
        lab.tfe.directory.create_user(
            replace(found.fields, user_name="eve@example.com", email="eve@example.com")
        )
        at = await rebuilt(lab)

        assert (at.adopted, at.strangers, await lab.run()) == (1, 1, [])
        [told] = await lab.store.run(lambda tx: sweeping.differences(tx.connection))
        assert (told.name, told.what.value) == ("eve@example.com", "stranger")


async def overflowing(lab):
    """A group in three parts, of ten, ten and five; its id."""
    crew = await lab.group("Crew", *await lab.users(25))
    await lab.run()
    return crew


async def test_taken_over_a_part_that_lost_members_is_read_as_one_group_without_them(tmp_path):
    async with lab_in(tmp_path, part=10) as lab:
        crew = await overflowing(lab)
        [second] = lab.tfe.directory.groups.named("Crew (2)")
        left = dict(list(second.fields.members.items())[:4])
        lab.tfe.directory.update_group(second, replace(second.fields, members=left))
        await rebuilt(lab, rebind=True)

        assert await lab.run() == []
        assert len(await lab.members(crew)) == 19


async def test_taken_over_a_part_that_is_gone_takes_its_members_out_of_the_group(tmp_path):
    async with lab_in(tmp_path, part=10) as lab:
        crew = await overflowing(lab)
        [second] = lab.tfe.directory.groups.named("Crew (2)")
        lab.tfe.directory.delete_group(second.stamp.id)
        await rebuilt(lab, rebind=True)

        assert await lab.run() == []
        assert len(await lab.members(crew)) == 15
        [late] = await lab.users(1, "late")
        await lab.patch(Kind.GROUP, crew, add(late))
        await lab.run(within_s=60)
        assert sum(map(len, parts(lab).values())) == 16


async def test_taken_over_the_parts_of_a_group_that_is_gone_are_groups_of_their_own(tmp_path):
    async with lab_in(tmp_path, part=10) as lab:
        crew = await overflowing(lab)
        [first] = lab.tfe.directory.groups.named("Crew")
        lab.tfe.directory.delete_group(first.stamp.id)
        await rebuilt(lab, rebind=True)

        assert await lab.run() == []
        assert await lab.shadow(Kind.GROUP, crew) is None
        [second] = lab.tfe.directory.groups.named("Crew (2)")
        assert len(await lab.members(second.stamp.id)) == 10
