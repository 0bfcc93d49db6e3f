"""Groups in groups, flattened: a nested group stands for its members (RFC 7643 section 4.2)."""

import pytest
from support.idp import add, group, remove
from support.lab import lab_in

from relay.errors import Refused
from relay.rules import dialect
from relay.rules.guard import GuardPolicy
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match
from relay.store.operate.held import Selection
from relay.store.state.records import ListQuery

EVERYTHING = Selection()


@pytest.fixture
async def flat(tmp_path):
    async with lab_in(tmp_path, flatten=True) as lab:
        yield lab


def replace(*ids):
    return {"op": "replace", "path": "members", "value": [{"value": one} for one in ids]}


async def in_groups(lab, *names):
    await lab.run()
    return [
        "".join(sorted(user.removesuffix("@example.com") for user in lab.roster(name)))
        for name in names
    ]


async def people(lab, names):
    return [await lab.user(f"{name}@example.com") for name in names]


async def test_without_flatten_a_nested_group_is_left_out_and_said_so(lab):
    [a] = await people(lab, "a")
    inner = await lab.group("inner", a)
    outer = await lab.group("outer")

    accepted = await lab.patch(Kind.GROUP, outer, add(inner))

    assert accepted.left_out == (inner,)
    assert await in_groups(lab, "inner", "outer") == ["a", ""]
    assert await lab.members(outer) == set()


async def test_a_nested_group_stands_for_its_members_and_is_read_back_as_a_group(flat):
    a, b, c = await people(flat, "abc")
    inner = await flat.group("inner", a, b)
    outer = await flat.group("outer", c, inner)

    assert await in_groups(flat, "inner", "outer") == ["ab", "abc"]
    found = await flat.store.directory.get(Kind.GROUP, outer, members=True)
    assert [(one.id, one.kind.value) for one in found.members] == [(c, "User"), (inner, "Group")]


async def test_what_happens_in_a_nested_group_happens_in_all_above_it(flat):
    a, b, c = await people(flat, "abc")
    inner = await flat.group("inner", a)
    middle = await flat.group("middle", inner)
    await flat.group("outer", middle)
    assert await in_groups(flat, "inner", "middle", "outer") == ["a", "a", "a"]

    await flat.patch(Kind.GROUP, inner, add(b, c))
    assert await in_groups(flat, "inner", "middle", "outer") == ["abc", "abc", "abc"]

    await flat.patch(Kind.GROUP, inner, remove(a))
    assert await in_groups(flat, "inner", "middle", "outer") == ["bc", "bc", "bc"]


async def test_who_is_in_by_two_ways_stays_until_both_are_gone(flat):
    [a] = await people(flat, "a")
    left, right = await flat.group("left", a), await flat.group("right", a)
    outer = await flat.group("outer", a, left, right)

    await flat.patch(Kind.GROUP, left, remove(a))
    await flat.patch(Kind.GROUP, outer, remove(a))
    assert await in_groups(flat, "outer") == ["a"]

    await flat.delete(Kind.GROUP, right)
    assert await in_groups(flat, "outer") == [""]


async def test_a_ring_of_groups_is_one_set_and_ends_when_it_is_opened(flat):
    a, b = await people(flat, "ab")
    one, two = await flat.group("one", a), await flat.group("two", b)
    await flat.patch(Kind.GROUP, one, add(two))
    await flat.patch(Kind.GROUP, two, add(one))
    assert await in_groups(flat, "one", "two") == ["ab", "ab"]

    await flat.patch(Kind.GROUP, one, remove(a))
    assert await in_groups(flat, "one", "two") == ["b", "b"]

    await flat.patch(Kind.GROUP, one, remove(two))
    assert await in_groups(flat, "one", "two") == ["", "b"]


async def test_a_group_is_not_nested_in_itself(flat):
    [a] = await people(flat, "a")
    group = await flat.group("group", a)

    accepted = await flat.patch(Kind.GROUP, group, add(group))

    assert accepted.left_out == (group,)
    assert await in_groups(flat, "group") == ["a"]


async def test_a_whole_roster_without_the_nested_group_takes_out_whom_it_brought(flat):
    a, b = await people(flat, "ab")
    inner = await flat.group("inner", a)
    outer = await flat.group("outer", b, inner)

    await flat.patch(Kind.GROUP, outer, replace(b, inner))
    assert await in_groups(flat, "outer") == ["ab"]

    await flat.patch(Kind.GROUP, outer, replace(a))
    assert await in_groups(flat, "outer") == ["a"]

    await flat.delete(Kind.GROUP, inner)
    assert await in_groups(flat, "outer") == ["a"]


async def test_a_write_that_would_fill_a_group_above_past_the_limit_is_refused_whole(flat):
    users = await flat.users(1_000)
    inner = await flat.group("inner")
    await flat.group("outer", inner, *users)
    [late] = await people(flat, "z")

    with pytest.raises(Refused) as refused:
        await flat.patch(Kind.GROUP, inner, add(late))

    assert refused.value.status == 413
    assert "'outer'" in refused.value.detail
    assert await flat.members(inner) == set()


async def test_a_look_up_by_member_finds_the_groups_that_name_it(flat):
    [a] = await people(flat, "a")
    inner = await flat.group("inner", a)
    outer = await flat.group("outer", inner)

    assert await named_by(flat, a) == [inner]
    assert await named_by(flat, inner) == [outer]


async def named_by(lab, member):
    page = await lab.store.directory.list(Kind.GROUP, ListQuery(("members.value", member)))
    return [one.public_id for one in page.resources]


async def test_a_rejected_removal_from_a_nested_group_is_undone_above_it_too(tmp_path):
    protected = GuardPolicy(3600.0, {}, protected_groups=("inner",))
    async with lab_in(tmp_path, flatten=True, guard=protected) as lab:
        [a] = await people(lab, "a")
        inner = await lab.group("inner", a)
        await lab.group("outer", inner)
        await lab.store.desk.approve(EVERYTHING, "ada", "it is meant")
        assert await in_groups(lab, "inner", "outer") == ["a", "a"]

        await lab.patch(Kind.GROUP, inner, remove(a))
        assert await in_groups(lab, "inner", "outer") == ["a", ""]

        await lab.store.desk.reject(EVERYTHING, "ada", "a mistake")
        assert await in_groups(lab, "inner", "outer") == ["a", "a"]


async def test_both_a_removal_and_what_follows_from_it_can_be_held_and_rejected(tmp_path):
    protected = GuardPolicy(3600.0, {}, protected_groups=("inner", "outer"))
    async with lab_in(tmp_path, flatten=True, guard=protected) as lab:
        [a] = await people(lab, "a")
        inner = await lab.group("inner", a)
        await lab.group("outer", inner)
        await lab.store.desk.approve(EVERYTHING, "ada", "it is meant")
        await lab.run()
        await lab.patch(Kind.GROUP, inner, remove(a))
        await lab.run()

        await lab.store.desk.reject(EVERYTHING, "ada", "a mistake")

        assert await in_groups(lab, "inner", "outer") == ["a", "a"]
        assert (await lab.counters())["pending"] == 0
        await lab.patch(Kind.GROUP, inner, remove(a))
        await lab.store.desk.approve(EVERYTHING, "ada", "it is meant")
        assert await in_groups(lab, "inner", "outer") == ["", ""]


async def test_a_nested_group_whose_deletion_is_rejected_has_its_members_above_again(tmp_path):
    protected = GuardPolicy(3600.0, {}, protected_groups=("inner",))
    async with lab_in(tmp_path, flatten=True, guard=protected) as lab:
        [a] = await people(lab, "a")
        inner = await lab.group("inner", a)
        await lab.group("outer", inner)
        await lab.store.desk.approve(EVERYTHING, "ada", "it is meant")
        await lab.run()
        await lab.delete(Kind.GROUP, inner)
        assert await in_groups(lab, "inner", "outer") == ["a", ""]

        await lab.store.desk.reject(EVERYTHING, "ada", "a mistake")

        assert await in_groups(lab, "inner", "outer") == ["a", "a"]


def refuse(lab, **match):
    return lab.tfe.faults.add(
        Fault(kind=FaultKind.STATUS, status=400, detail="not that"), Match(count=None, **match)
    )


async def test_a_member_whom_tfe_refuses_in_a_nested_group_is_not_in_those_above_it(flat):
    a, b = await people(flat, "ab")
    inner = await flat.group("inner", a)
    await flat.group("outer", inner)
    await flat.run()
    path = f"/Groups/{await flat.target(inner)}"
    refuse(flat, method="PATCH", path=path, body=await flat.target(b))

    await flat.patch(Kind.GROUP, inner, add(b))

    assert await in_groups(flat, "inner", "outer") == ["a", "a"]
    assert await flat.members(inner) == {a}


async def test_a_nested_group_that_tfe_refuses_stands_for_its_members_all_the_same(flat):
    a, b = await people(flat, "ab")
    refuse(flat, method="POST", path="/Groups", body="inner")
    inner = await flat.group("inner", a)
    await flat.group("outer", inner)
    assert await in_groups(flat, "outer") == ["a"]

    flat.tfe.faults.clear()
    assert await flat.post(group("inner", b)) == inner

    assert await in_groups(flat, "inner", "outer") == ["b", "b"]


async def test_a_parked_group_that_is_tried_again_has_what_its_nested_groups_hold_by_then(flat):
    a, b = await people(flat, "ab")
    inner = await flat.group("inner", a)
    refuse(flat, method="POST", path="/Groups", body="outer")
    outer = await flat.accept(dialect.parse_create(Kind.GROUP, group("outer", inner)))
    await flat.run()
    await flat.patch(Kind.GROUP, inner, add(b))
    await flat.patch(Kind.GROUP, inner, remove(a))
    await flat.run()

    flat.tfe.faults.clear()
    await flat.store.desk.retry(outer.change, "ada", "TFE takes it now")

    assert await in_groups(flat, "inner", "outer") == ["b", "b"]
