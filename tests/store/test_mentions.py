"""Who is to be erased is found as a whole word, in any letter case and as JSON writes it."""

import threading
from contextlib import closing

import pytest
from support.audits import walked

from relay.store.file.engine import open_plain
from relay.store.operate.mentioning import Mention, Person, everywhere

FOUND = (
    "ada@x.org",
    "cannot add ADA@X.ORG.",
    '{"value":"ada@x.org"}',
    "/Users?filter=userName eq 'ada@x.org'",
    "ada@x.org: no",
    "/Users?filter=userName%20eq%20%22ada%40x.org%22&count=2",
    "/Users?filter=userName+eq+%22ADA%40X.org%22",
)
OTHERS = ("bada@x.org", "ada@x.organic", "ada@x.org-2", "x.ada@x.org", "ada@x.org.uk", "ada", "")


@pytest.mark.parametrize("text", FOUND)
def test_a_mention_is_found_and_taken_out(text):
    mention = Mention(["ada@x.org"])
    assert mention.search(text)
    assert "x.org" not in mention.without(text).lower()


@pytest.mark.parametrize("text", OTHERS)
def test_somebody_else_is_not_mentioned(text):
    assert not Mention(["ada@x.org"]).search(text)


@pytest.mark.parametrize("text", ["zoë@x.org", "ZOË@X.ORG", '"zoë@x.org"'])
def test_letters_that_sqlite_does_not_fold_are_found(text, tmp_path):
    person = Person((1,), frozenset({"Zoë@x.org"}))
    assert person.mention.search(text)
    with closing(open_plain(tmp_path / "some.db")) as connection:
        connection.execute("CREATE TABLE some (id INTEGER, words TEXT, at REAL)")
        connection.execute("INSERT INTO some VALUES (1, ?, 2.0), (2, 'x.org', 3.0)", (text,))
        assert everywhere(connection, person) == {"some.words": 1}


def test_what_is_quoted_in_json_is_found():
    assert Mention(['ann "the boss"']).search('{"displayName":"Ann \\"the Boss\\""}')


def test_what_is_too_short_is_not_looked_for():
    assert not Mention(["17", "ada"]).search("17 ada")


def test_nobody_is_mentioned_nowhere(tmp_path):
    with closing(open_plain(tmp_path / "some.db")) as connection:
        connection.execute("CREATE TABLE some (words TEXT)")
        connection.execute("INSERT INTO some VALUES ('ada@x.org')")
        assert everywhere(connection, Person((1,), frozenset())) == {}


async def test_while_the_file_is_written_anew_the_writer_counts_as_alive_and_writes_wait(lab):
    begun, go_on = threading.Event(), threading.Event()

    def alone(connection):
        assert not connection.in_transaction
        begun.set()
        assert go_on.wait(10)
        return "done"

    working = lab.store._writer.submit_alone(alone)
    while not begun.is_set():
        await lab.store.snapshot()
    waits = lab.store._writer.submit(lambda tx: tx.audit("a test", "idp"))
    await lab.store.pulse()
    assert (working.done(), waits.done()) == (False, False)
    go_on.set()
    await waits

    assert await working == "done"
    assert (await walked(lab.store)).entries == 1


async def test_what_fails_alone_fails_for_its_caller_only(lab):
    def fails(_connection):
        raise ValueError("no")

    def nonsense(connection):
        connection.execute("SELECT 1 FROM nowhere")

    with pytest.raises(ValueError, match="no"):
        await lab.store._writer.submit_alone(fails)
    with pytest.raises(Exception, match="nowhere"):
        await lab.store._writer.submit_alone(nonsense)
    await lab.user("ada@example.com")
