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
from instruments import kill_at_statement
from sqlite_utils import Database

from relay.store.file import engine
from relay.store.file.migrations import migrations

TESTS = Path(__file__).resolve().parents[1]
PROGRAM = TESTS / "instruments" / "kill_at_statement.py"


def kills(parts):
    """Kill at every `parts`-th point."""
    return run("0", str(parts))


def run(*arguments):
    """What the instrument tells, run as a program: it forks, and must have one thread."""
    done = subprocess.run(
        [sys.executable, PROGRAM, *arguments],
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
