"""What was read of TFE before an erasure does not bring the person back."""

import pytest
from support.idp import user

from relay.errors import Refused
from relay.rules.shadow import from_target
from relay.rules.types import Kind
from relay.store.compare import rebuilding
from relay.store.compare.importing import ImportState

NAME = "ada.lovelace@example.com"


@pytest.fixture
async def gone(lab):
    """Somebody whom TFE has no more, and the page that was read while it still had them."""
    ident = await lab.user(NAME)
    await lab.run()
    target = next(iter(lab.tfe.directory.users)).stamp.id
    page = [from_target(Kind.USER, {**user(NAME), "id": target, "active": True})]
    began = lab.clock.wall()
    lab.clock.turn(1.0)
    await lab.delete(Kind.USER, ident)
    await lab.run()
    return await lab.store.audit.person(ident), page, began


async def named(lab, table):
    return await lab.store.run(
        lambda tx: tx.value(f"SELECT count(*) FROM {table} WHERE name = ?", (NAME,))
    )


async def test_an_import_leaves_them_to_its_next_pass_which_does_not_find_them(lab, gone):
    person, page, began = gone
    await lab.store.audit.erase(person, "op (uid 0)", "ticket 4711")
    at = await lab.store.take_page(ImportState(), page, 1, began)

    assert (await named(lab, "resource"), at.fresh) == (0, 1)


async def test_who_comes_back_after_it_is_taken_in_again(lab, gone):
    person, page, _ = gone
    await lab.store.audit.erase(person, "op (uid 0)", "ticket 4711")
    lab.clock.turn(1.0)
    await lab.store.take_page(ImportState(), page, 1, lab.clock.wall())

    assert await named(lab, "resource") == 1


@pytest.mark.parametrize(("read", "told"), [("before", 0), ("after", 1)])
async def test_a_comparison_names_who_was_read_after_it_only(lab, gone, read, told):
    person, page, began = gone
    await lab.store.audit.erase(person, "op (uid 0)", "ticket 4711")
    lab.clock.turn(1.0)
    sweep = await lab.store.comparison.begin(mend=True)
    began = began if read == "before" else lab.clock.wall()
    await lab.store.comparison.page(sweep, page, 1, began)

    assert await named(lab, "drift") == told


async def test_while_a_rebuild_reads_all_that_tfe_has_nobody_is_erased(lab, gone):
    person, _, _ = gone
    await lab.store.run(lambda tx: rebuilding.begin(tx, "op", rebind=True))
    with pytest.raises(Refused, match="rebuild"):
        await lab.store.audit.erase(person, "op (uid 0)", "ticket 4711")
