"""An operator drops an edit of what TFE had before, lost, and refuses to create anew (S1)."""

import pytest
from support.idp import add
from test_dropped_held import drop
from test_refusals import refuse

from relay.probe.session import Asked
from relay.rules.shadow import readable
from relay.rules.types import Kind
from relay.simulator.records import GroupFields, UserFields
from relay.store.operate import pruning

WHY = ("ada (uid 1000)", "a test")


async def had(lab, kind, found):
    """TFE had it before the relay came; its id."""
    answer = await lab.send(Asked("GET", f"/{kind.plural}/{found.stamp.id}"))
    await lab.store.take(kind, readable(kind, answer.body), lab.clock.wall())
    return found.stamp.id


async def imported(lab):
    return await had(
        lab,
        Kind.USER,
        lab.tfe.directory.create_user(UserFields("ada@example.com", "ada@example.com", "e-0")),
    )


async def created_and_pruned(lab):
    ada = await lab.user("ada@example.com", externalId="e-0")
    await lab.run()
    await lab.edit(ada, title="one more")
    lab.clock.turn(10)
    await lab.store.run(lambda tx: pruning.prune(tx, tx.now, pruning.Cursor()))
    return ada


async def lost(lab, kind, one):
    await lab.send(Asked("DELETE", f"/{kind.plural}/{await lab.target(one)}"))
    refuse(lab, method="POST")


@pytest.mark.parametrize("made", [imported, created_and_pruned])
async def test_a_retried_edit_brings_back_what_tfe_lost_without_the_edit_that_is_dropped(lab, made):
    ada = await made(lab)
    await lost(lab, Kind.USER, ada)
    first = await lab.edit(ada, userName="byron@example.com", externalId="e-1")
    await lab.run(most=2)
    second = await lab.edit(ada, externalId="e-2")
    kept = await lab.edit(ada, active=False)
    await lab.run()
    await drop(lab, first, second)

    lab.tfe.faults.clear()
    await lab.store.desk.retry(kept.change, *WHY)
    await lab.run()
    found = lab.user_in_tfe("ada@example.com")
    assert (found.external_id, found.active) == ("e-0", False)
    assert (await lab.shadow(Kind.USER, ada))["userName"] == "ada@example.com"


async def test_who_was_in_a_lost_group_is_in_it_without_the_edits_that_are_dropped(lab):
    ids = await lab.users(3)
    await lab.run()
    targets = [await lab.target(one) for one in ids]
    members = dict.fromkeys(targets[:2])
    crew = await had(
        lab, Kind.GROUP, lab.tfe.directory.create_group(GroupFields("Crew", members=members))
    )
    await lost(lab, Kind.GROUP, crew)
    dropped = await lab.patch(Kind.GROUP, crew, add(ids[2]))
    kept = await lab.rename(crew, "Staff")
    await lab.run()
    await drop(lab, dropped)
    lab.tfe.faults.clear()
    await lab.store.desk.retry(kept.change, *WHY)
    await lab.run()
    assert lab.roster("Staff") == {"user00000@example.com", "user00001@example.com"}


async def test_an_edit_that_is_dropped_before_what_tfe_lost_is_created_anew_is_not_in_it(lab):
    ada = await imported(lab)
    await lab.send(Asked("DELETE", f"/Users/{ada}"))
    first = await lab.edit(ada, externalId="e-1")
    await lab.run(most=2)
    await drop(lab, first)
    await lab.run()
    assert lab.user_in_tfe("ada@example.com").external_id == "e-0"


async def test_what_tfe_lost_is_tried_again_when_the_last_edit_above_it_is_dropped(lab):
    ada = await imported(lab)
    await lost(lab, Kind.USER, ada)
    dropped = await lab.edit(ada, userName="byron@example.com")
    await lab.run()
    lab.tfe.faults.clear()
    await drop(lab, dropped)
    await lab.run()
    assert lab.user_in_tfe("ada@example.com").external_id == "e-0"
    assert (await lab.shadow(Kind.USER, ada))["userName"] == "ada@example.com"
