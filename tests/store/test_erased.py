"""Erasing takes out what is there when it happens, in bounded memory, and never twice the file."""

import shutil
import subprocess
import sys
from contextlib import closing

import pytest
from support.audits import entries
from support.idp import patch_body

from relay.errors import Refused, Unavailable
from relay.rules import dialect
from relay.rules.types import Kind
from relay.store.file.engine import open_plain, open_writer
from relay.store.file.rewriting import write_anew
from relay.store.operate import erasing, mentioning

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
NAME = "ada.lovelace@example.com"

GROWTH = """
import re, sys
from pathlib import Path
from relay.store.file.engine import open_writer
from relay.store.file.rewriting import write_anew

def peak_kib():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

connection = open_writer(Path(sys.argv[1]))
connection.execute("CREATE TABLE bulk (content BLOB)")
connection.execute(
    "INSERT INTO bulk SELECT randomblob(100000) FROM json_each(?)", (str(list(range(800))),)
)
before = peak_kib()
write_anew(connection)
print(peak_kib() - before)
"""


async def gone(lab):
    """Somebody who was deleted, and was the manager of who is still there."""
    ident = await lab.user(NAME)
    boss = {"manager": {"value": ident, "displayName": NAME}}
    staff = await lab.user("grace@example.com", **{ENTERPRISE: boss})
    await lab.edit(ident, **{ENTERPRISE: boss})  # nobody's but their own manager
    await lab.run()
    await lab.delete(Kind.USER, ident)
    await lab.run()
    return await lab.store.audit.person(ident), staff


async def found(lab, person):
    return await lab.store.run(lambda tx: mentioning.mentions(tx.connection, person))


async def test_what_was_written_since_they_were_looked_for_stays(lab):
    person, staff = await gone(lab)
    mentioned = await found(lab, person)
    await lab.edit(staff, title="Admiral")
    await lab.store.run(
        lambda tx: erasing.erase(tx, person, mentioned, "op (uid 0)", "ticket 4711")
    )
    shadow = await lab.shadow(Kind.USER, staff)

    assert shadow["title"] == "Admiral"
    assert NAME not in str(shadow)


async def test_a_name_that_somebody_here_has_now_is_theirs(lab):
    old = await lab.user(NAME)
    await lab.run()
    await lab.delete(Kind.USER, old)
    await lab.run()
    new = await lab.user(NAME)
    boss = {"manager": {"value": new, "displayName": NAME}}
    staff = await lab.user("grace@example.com", **{ENTERPRISE: boss})
    await lab.run()
    person = await lab.store.audit.person(old)
    done = await lab.store.audit.erase(person, "op (uid 0)", "ticket 4711")

    assert (await lab.shadow(Kind.USER, staff))[ENTERPRISE] == boss
    assert (done.mentions, await lab.store.audit.still(person)) == (0, {})
    words = {one["detail"] for one in await entries(lab.store, "accepted")}
    assert NAME in words


def test_the_file_is_written_anew_in_bounded_memory(tmp_path):
    """SQLite's own VACUUM keeps its temporary database in memory: as much as the file is large."""
    ran = subprocess.run(
        [sys.executable, "-c", GROWTH, str(tmp_path / "relay.db")],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (tmp_path / "relay.db").stat().st_size > 0
    assert int(ran.stdout) < 40_000  # KiB, of 80,000
    assert not list(tmp_path.glob("*.anew"))


async def test_while_somebody_reads_the_log_the_file_is_written_anew_once_only(lab, tmp_path):
    person, _ = await gone(lab)
    mentioned = await found(lab, person)
    await lab.store.run(lambda tx: erasing.erase(tx, person, mentioned, "op", "ticket 4711"))
    [path] = tmp_path.glob("*.db")
    with closing(open_plain(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM resource").fetchone()
        with pytest.raises(Unavailable):
            await lab.store.audit.finish()
        noted = await lab.store.run(
            lambda tx: tx.value("SELECT value FROM meta WHERE key = ?", (erasing.OWED,))
        )
        reader.execute("ROLLBACK")
    assert noted == erasing.WRITTEN
    await lab.store.audit.finish()
    assert not await lab.store.run(lambda tx: erasing.is_owed(tx.connection))
    assert NAME.encode() not in path.read_bytes()


@pytest.mark.parametrize("trouble", ["no room", "not writable"])
async def test_what_the_disk_does_not_take_is_tried_again(lab, tmp_path, monkeypatch, trouble):
    """An end of the audit log's upkeep would end the daemon, at each start anew."""
    person, _ = await gone(lab)
    mentioned = await found(lab, person)
    await lab.store.run(lambda tx: erasing.erase(tx, person, mentioned, "op", "ticket 4711"))
    [path] = tmp_path.glob("*.db")
    if trouble == "no room":
        usage = shutil.disk_usage(tmp_path)._replace(free=path.stat().st_size)
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    else:
        path.with_name(path.name + ".anew").mkdir()
    with pytest.raises(Unavailable, match="cannot write"):
        await lab.store.audit.finish()
    assert await lab.store.run(lambda tx: erasing.is_owed(tx.connection))
    await lab.user("late@example.com")


async def test_what_a_waiting_client_would_have_found_again_does_not_outlive_its_change(lab):
    """It is a copy of all that was known of somebody, their manager too; nobody looks for it."""
    staff = await lab.user("grace@example.com", **{ENTERPRISE: {"manager": {"value": NAME}}})
    await lab.run()
    write = dialect.parse_patch(
        Kind.USER, patch_body({"op": "replace", "value": {"active": False}})
    )
    accepted = await lab.accept(write, staff, waits=True)
    assert accepted.wait
    await lab.store.desk.drop(accepted.change, "op (uid 0)", "ticket 4711")
    kept = await lab.store.run(lambda tx: tx.all("SELECT 1 FROM change WHERE undo IS NOT NULL"))

    assert kept == []


async def test_an_address_that_several_had_names_nobody_and_a_user_name_comes_first(lab):
    shared = [{"value": NAME, "type": "work", "primary": True}]
    for name in (NAME, "grace@example.com", "hedy@example.com"):
        ident = await lab.user(name, emails=shared)
        await lab.run()
        await lab.delete(Kind.USER, ident)
        await lab.run()
    first = await lab.store.audit.person(NAME)
    assert (first.rows, first.pending) == ((1,), None)
    await lab.store.audit.erase(first, "op (uid 0)", "ticket 4711")

    with pytest.raises(Refused, match="several"):
        await lab.store.audit.person(NAME)
    assert (await lab.store.audit.person("grace@example.com")).rows == (2,)


def test_a_program_that_writes_the_database_is_not_waited_for(tmp_path):
    """The writer would stand still for as long as somebody's shell holds a transaction open."""
    path = tmp_path / "relay.db"
    with closing(open_writer(path)) as connection, closing(open_plain(path)) as shell:
        connection.execute("PRAGMA busy_timeout = 0")
        shell.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="another program"):
            write_anew(connection)
        shell.execute("ROLLBACK")
        write_anew(connection)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
