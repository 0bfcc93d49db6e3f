"""A million rows of the first schema brought to this one, copy included (L7)."""

import os
import time
from contextlib import closing

import pytest
from sqlite_utils import Database

from relay.store.file.audit_log import seal
from relay.store.file.engine import open_plain, open_writer
from relay.store.file.migrating import secure
from relay.store.file.migrations import migrations

ROWS = 1_000_000

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]


def fill(path):
    with closing(open_plain(path)) as made:
        migrations.apply(Database(made), stop_before="0002_drift")
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("BEGIN")
        made.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO resource (kind, public_id, state, origin, name, name_key, active, email,"
            " shadow, created, modified) SELECT iif(i % 100 = 0, 'Group', 'User'), 'u-' || i,"
            " 'live', 'idp', 'user' || i || '@example.com', 'user' || i || '@example.com', 1,"
            " 'user' || i || '@example.com', '{\"userName\":\"user' || i || '@example.com\"}', 1, 1"
            " FROM n",
            (ROWS // 5,),
        )
        made.execute("INSERT INTO alias SELECT public_id, id FROM resource")
        made.execute(
            "INSERT INTO member SELECT 100 * (1 + id % 2000), id, 1, 1 FROM resource"
            " WHERE kind = 'User'"
        )
        made.execute(
            "INSERT INTO change (resource, connection, verb, at, state, writes)"
            " SELECT id, 'idp', 'create', 1, 'delivered', '{\"exists\":true}' FROM resource"
        )
        made.execute(
            "INSERT INTO audit (at, event, actor, change, resource)"
            " SELECT 1, 'accepted', 'idp', id, resource FROM change"
        )
        made.execute("COMMIT")


def test_a_million_rows_migrate_within_a_minute(tmp_path):
    path = tmp_path / "relay.db"
    fill(path)
    os.sync()
    began = time.monotonic()
    secure(path)
    copied = time.monotonic()
    with closing(open_writer(path)) as connection:
        migrated = time.monotonic()
        connection.execute("BEGIN IMMEDIATE")
        chained = seal(connection)
        connection.execute("COMMIT")
    done = time.monotonic()
    size = path.stat().st_size / 1e6
    print(
        f"\n{ROWS:,} rows, {size:.0f} MB: copied in {copied - began:.1f} s,"
        f" migrated and checked in {migrated - copied:.1f} s,"
        f" {chained:,} audit entries chained in {done - migrated:.1f} s"
    )
    assert done - began < 60
