"""Changes are found by state, kind, resource, connection and age, and by all of these together."""

import pytest

from relay.store.operate.listing import ChangeFilter


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {"ada@x.org", "bob@x.org", "Crew"}),
        ({"state": "delivered"}, {"ada@x.org"}),
        ({"state": "pending"}, {"bob@x.org", "Crew"}),
        ({"kind": "Group"}, {"Crew"}),
        ({"resource": "bob@x.org"}, {"bob@x.org"}),
        ({"resource": "BOB@x.org"}, {"bob@x.org"}),
        ({"connection": "nobody"}, set()),
        ({"before": -30.0}, {"ada@x.org"}),
        ({"before": -30.0, "state": "pending"}, set()),
        ({"kind": "User", "state": "pending"}, {"bob@x.org"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
async def test_changes_are_found_by_every_condition(lab, asked, found):
    await lab.user("ada@x.org")
    await lab.run()
    lab.clock.turn(60)
    await lab.user("bob@x.org")
    await lab.group("Crew")
    if "before" in asked:
        asked = asked | {"before": lab.clock.wall() + asked["before"]}

    assert {one["name"] for one in await lab.store.changes(ChangeFilter(**asked))} == found
