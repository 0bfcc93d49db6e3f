"""L7: the databases of all releases open and go on; an older relay refuses a newer schema.

That the schema of a newer release is refused by name: `test_l4`. Made by `tests/golden/make.py`.
"""

import gzip
from pathlib import Path

import pytest
from support.lab import lab_in

from relay.rules.types import Kind
from relay.store.engine import open_plain
from relay.store.listing import ChangeFilter

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*.db.gz"))


def ids(path):
    file = open_plain(path)
    found = dict(file.execute("SELECT name, public_id FROM resource WHERE state = 'live'"))
    bound = dict(file.execute("SELECT name, target_id FROM resource WHERE target_id IS NOT NULL"))
    file.close()
    return found, bound


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.name)
async def test_a_database_of_an_earlier_release_opens_with_all_it_held_and_delivers_the_rest(
    golden, tmp_path
):
    path = tmp_path / "lab.db"
    path.write_bytes(gzip.decompress(golden.read_bytes()))
    known, bound = ids(path)
    async with lab_in(tmp_path) as lab:
        counters = await lab.counters()
        assert (counters["accepted"], counters["delivered"]) == (10, 5)
        assert (counters["parked"], counters["pending"]) == (1, 4)
        for name, kind in (("ada@example.com", Kind.USER), ("Crew", Kind.GROUP)):
            found = await lab.store.directory.get(kind, known[name], members=False)
            assert found.shadow[kind.name_attribute] == name
        assert len(await lab.members(known["Crew"])) == 3
        [parked] = await lab.store.changes(ChangeFilter(state="parked"))
        assert (parked["status"], parked["detail"]) == (422, "no")

        sent = [await lab.claim()]
        assert sent[0].request.path.endswith(bound["bob@example.com"])  # the revocation first
        assert "active" in str(sent[0].request.body)


def test_the_first_release_is_among_them():
    assert "0.1" in {path.name.removesuffix(".db.gz") for path in GOLDEN}
