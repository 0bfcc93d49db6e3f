"""A1: nothing acknowledged is lost under kill -9 at any point.

The power-cut side of the same proof is `test_a2`; kill -9 of the daemon under load is in
`tests/guarantees/test_l1.py`.
"""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from instruments import kill_at_statement, kill_at_verb
from instruments.operators import VERBS
from sqlite_utils import Database

from relay.store.file import engine
from relay.store.file.migrations import migrations

TESTS = Path(__file__).resolve().parents[1]
PROGRAM = TESTS / "instruments" / "kill_at_statement.py"
VERB_PROGRAM = TESTS / "instruments" / "kill_at_verb.py"


def kills(parts):
    """Kill at every `parts`-th point."""
    return run("0", str(parts))


def run(*arguments, program=PROGRAM):
    """What the instrument tells, run as a program: it forks, and must have one thread."""
    done = subprocess.run(
        [sys.executable, program, *arguments],
        env={"PYTHONPATH": f"{TESTS.parent}:{TESTS}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_kill_at_every_sixteenth_statement_loses_nothing_and_doubles_nothing():
    found = kills(16)

    assert found["points"] > 500
    assert found["kills"] >= found["points"] // 16


def test_a_kill_at_every_statement_of_a_migration_leaves_a_database_that_opens(tmp_path):
    path = tmp_path / "old.db"
    with closing(engine.open_plain(path)) as made:
        migrations.apply(Database(made), stop_before="0002_drift")
        made.execute(
            "INSERT INTO resource (kind, public_id, state, origin, name, name_key, shadow, created,"
            " modified) VALUES ('User', 'u-1', 'live', 'idp', 'ada@x.org', 'ada@x.org', '{}', 1, 1)"
        )
    found = run("migrate", str(path))

    assert found["kills"] > 20


def test_a_kill_at_some_points_of_each_operator_s_verb_leaves_it_undone_done_or_to_be_repeated():
    found = run("4", program=VERB_PROGRAM)

    assert found.keys() == VERBS.keys()
    assert all(one["kills"] >= 4 for one in found.values())


@pytest.mark.soak
@pytest.mark.parametrize("verb", VERBS)
def test_a_kill_at_any_point_of_an_operator_s_verb_leaves_it_undone_done_or_to_be_repeated(verb):
    found = run("0", verb, program=VERB_PROGRAM)[verb]

    assert found["kills"] == found["points"]
    print(f"\nkilled {verb} at each of {found['points']} points: it was whole once given again")


@pytest.fixture
def held(tmp_path):
    """What an operator may reject, with nobody at work on it; the verb, the folder, TFE."""
    verb = VERBS["reject"]
    return verb, tmp_path, kill_at_verb.prepared(verb, tmp_path)


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        ("DELETE FROM trip", "held effect without its trip"),
        ("UPDATE effect SET held_by = NULL, state = 'open'", "trip of which nothing is held"),
        ("UPDATE change SET state = 'dropped' WHERE state = 'pending'", "hold without its change"),
        ("UPDATE counter SET value = 9 WHERE name = 'parked'", "not the sum"),
        (
            "INSERT INTO rejected SELECT resource, key, 'idp', last, 0, 'ada', 'why' FROM effect",
            "audited",
        ),
    ],
)
def test_the_look_at_what_is_left_of_a_verb_sees_each_kind_of_damage(held, damage, seen):
    verb, folder, _ = held
    kill_at_verb.intact(verb, folder)
    with closing(sqlite3.connect(folder / "relay.db", isolation_level=None)) as left:
        left.execute(damage)

    with pytest.raises(AssertionError, match=seen):
        kill_at_verb.intact(verb, folder)


def test_the_survey_sees_a_file_that_is_left_over_and_an_end_that_differs(held):
    verb, folder, tfe = held
    (folder / "picture.part").touch()
    with pytest.raises(AssertionError, match="left over"):
        kill_at_verb.survey(verb, folder, tfe, None)
    (folder / "picture.part").unlink()
    with pytest.raises(AssertionError, match="counters"):
        kill_at_verb.survey(verb, folder, tfe, {"counters": [["accepted", 1]]})


@pytest.mark.soak
def test_a_kill_at_any_statement_at_all_loses_nothing_and_doubles_nothing():
    found = kills(1)

    assert found["kills"] == found["points"]
    print(f"\nkilled at each of {found['points']} statements and commits: nothing lost or doubled")


def test_the_survey_sees_a_database_that_has_lost_what_was_acknowledged(tmp_path):
    one = tmp_path / "one"
    one.mkdir()
    _, folds = kill_at_statement.played(one, None)
    journal = (one / "journal").read_bytes().splitlines(keepends=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    engine.open_writer(empty / "relay.db").close()
    (empty / "journal").write_bytes(b"".join(line for line in journal if b"done" in line))

    kill_at_statement.survey(one, folds)
    with pytest.raises(AssertionError, match=r"accepted|users"):
        kill_at_statement.survey(empty, folds)


def test_the_survey_sees_a_request_of_which_no_row_tells(tmp_path):
    _, folds = kill_at_statement.played(tmp_path, None, kill_at_statement.STEPS[:-1])
    with closing(sqlite3.connect(tmp_path / "relay.db", isolation_level=None)) as left:
        left.execute("DELETE FROM attempt WHERE id = 3")

    with pytest.raises(AssertionError, match="D1"):
        kill_at_statement.survey(tmp_path, folds)
