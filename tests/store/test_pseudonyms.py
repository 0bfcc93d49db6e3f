"""What a support bundle's pseudonyms are made with is known to nobody outside."""

import pytest

from relay.rules.redacting import Redactor
from relay.store.operate import support


@pytest.mark.parametrize("content", [None, b"SQLite format 3\0" + bytes(5000)])
def test_without_a_readable_database_names_cannot_be_tried(tmp_path, content):
    path = tmp_path / "relay.db"
    if content is not None:
        path.write_bytes(content)
    _, seed = support.alone(path, 0.0)
    _, again = support.alone(path, 0.0)

    assert len(seed) >= 16
    assert Redactor(seed).pseudonym("ada@x.org") != Redactor(again).pseudonym("ada@x.org")


async def test_a_database_has_the_same_for_as_long_as_it_lives(lab):
    seed = await lab.store.run(lambda tx: support.seed(tx.connection))
    assert len(seed) >= 16
    assert seed == await lab.store.run(lambda tx: support.seed(tx.connection))
