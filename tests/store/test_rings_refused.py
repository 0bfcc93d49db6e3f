"""A ring of names that was broken by a temporary name and then refused leaves nothing behind (S3)."""

from support.idp import add, patch_body
from support.lab import Lab

from relay.rules import dialect
from relay.rules.types import Kind
from relay.simulator.faults import Fault, FaultKind, Match


def refuse(lab: Lab, name: str, *, status: int = 413) -> None:
    """From now on TFE takes nobody under this name."""
    fault = Fault(kind=FaultKind.STATUS, status=status, detail="never")
    lab.tfe.faults.add(fault, Match(method="PATCH", body=f'"{name}"', count=None))


async def exchange(lab: Lab) -> tuple[str, str, list[int]]:
    """Two groups exchange their names by way of a third; nothing of it is sent yet."""
    one, two = await lab.group("one"), await lab.group("two")
    await lab.run()
    changes = [
        (await lab.rename(which, name)).change
        for which, name in ((one, "aside"), (two, "one"), (one, "two"))
    ]
    return one, two, changes


async def read(lab: Lab, *groups: str) -> list[str]:
    """The names that the IdP reads, and it must read those that TFE has."""
    seen = [(await lab.shadow(Kind.GROUP, group))["displayName"] for group in groups]
    assert seen == [lab.names()[await lab.target(group)] for group in groups]
    assert (await lab.counters())["pending"] == 0
    return seen


async def told(lab: Lab, change: int) -> list[tuple[str, str]]:
    """What the audit log says of a change after it was accepted."""
    return await lab.store.run(
        lambda tx: tx.all(
            "SELECT event, detail FROM audit WHERE change = ? AND event <> 'accepted' ORDER BY id",
            (change,),
        )
    )


async def test_who_broke_the_ring_returns_to_the_last_name_that_was_not_refused(lab):
    one, two, changes = await exchange(lab)
    refuse(lab, "two")

    await lab.run()

    assert await read(lab, one, two) == ["aside", "one"]
    assert [await lab.state(change) for change in changes] == ["delivered", "delivered", "parked"]


async def test_what_led_into_the_ring_is_delivered_with_its_end_and_not_before(lab):
    _, _, changes = await exchange(lab)

    lab.clock.turn(1)
    await lab.step()
    under_way = [await lab.state(change) for change in changes]
    await lab.run()

    assert under_way == ["pending", "pending", "pending"]
    assert [await lab.state(change) for change in changes] == ["delivered"] * 3


async def test_a_drop_between_the_temporary_name_and_the_last_returns_to_what_was_written_before(
    lab,
):
    one, two, changes = await exchange(lab)
    lab.clock.turn(1)
    await lab.step()
    await lab.store.desk.drop(changes[2], "ann", "a test")

    await lab.run()

    assert await read(lab, one, two) == ["aside", "one"]


async def test_a_name_that_nobody_took_after_all_is_given_back(lab):
    one, two, changes = await exchange(lab)
    await lab.store.desk.drop(changes[0], "ann", "a test")
    refuse(lab, "two", status=400)
    lab.clock.turn(1)
    await lab.step()  # `two` is the older one now, and goes by way of the temporary name
    assert f"two~{await lab.target(two)}" in lab.names().values()
    await lab.step()
    lab.tfe.faults.clear()

    await lab.run()

    assert await read(lab, one, two) == ["one", "two"]
    assert [await lab.state(change) for change in changes] == ["dropped", "parked", "parked"]


async def test_a_name_that_the_other_has_by_now_stays_with_it_and_the_difference_is_told(lab):
    one, two, changes = await exchange(lab)
    await lab.store.desk.drop(changes[0], "ann", "a test")
    refuse(lab, "one")

    sent = await lab.run()

    assert await read(lab, one, two) == ["two", f"two~{await lab.target(two)}"]
    assert [await lab.state(change) for change in changes] == ["dropped", "parked", "delivered"]
    assert await told(lab, changes[1]) == [
        ("name not returned", f"the name before is {one}'s by now"), ("parked", "never"),
    ]  # fmt: skip
    assert [sending.verdict.status for sending in sent] == [200, 200, 413]

    lab.tfe.faults.clear()
    await lab.store.desk.retry(changes[1], "ann", "a test")
    await lab.run()
    assert await read(lab, one, two) == ["two", "one"]


async def test_who_has_the_name_is_not_told_of_a_refusal_that_is_not_its_own(lab):
    """Another group is refused a name and returns to one that TFE gave to this group meanwhile."""
    user = await lab.user("ada@example.com")
    one, two = await lab.group("one"), await lab.group("two")
    await lab.run()
    refuse(lab, "never", status=500)
    await lab.rename(one, "third")
    await lab.rename(one, "never")
    await lab.rename(two, "third")
    lab.clock.turn(1)
    await lab.step()
    await lab.step()
    assert "third" in lab.names().values()
    lab.clock.turn(30)
    joins = dialect.parse_patch(Kind.GROUP, patch_body(add(user)))
    waits = await lab.accept(joins, two, waits=True)

    again = await lab.step()
    await lab.run()

    assert again.verdict.status == 500
    assert await lab.state(waits.change) == "delivered"
