"""The age histogram of what waits: columns double, older ones come last."""

from support.idp import deactivate

from relay.rules.types import Kind
from relay.store.operate.shape import COLUMNS, MINUTES


async def shown(lab):
    return {
        (row["kind"], row["waits"]): {name: row[name] for name in COLUMNS if row[name]}
        for row in await lab.store.desk.shape()
    }


async def test_each_change_is_in_the_column_of_its_age(lab):
    for number, older_by in enumerate((MINUTES[-1] - 20, 15, 5, 0)):
        await lab.user(f"user{number}@x.org")
        lab.clock.turn(60.0 * older_by)

    assert await shown(lab) == {("User", "ready"): {"5": 1, "10": 1, "40": 1, "1280+": 1}}


async def test_what_is_delivered_is_in_none(lab):
    ada = await lab.user("ada@x.org")
    await lab.patch(Kind.USER, ada, deactivate())
    await lab.run()

    assert await shown(lab) == {}
