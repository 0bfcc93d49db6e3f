"""After a salvage: what follows from the rows that are left is computed from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from relay.store.file import audit_log
from relay.store.file.identity import RESTORED
from relay.store.file.migrations import statements

if TYPE_CHECKING:
    from relay.store.file.engine import Connection

_GONE: Final = "NOT IN (SELECT id FROM resource)"

LOST: Final = "what it was to send was lost on a damaged page: compare, then retry or drop it"

STEPS: Final = f"""
-- Nothing speaks of a resource that is not there.
DELETE FROM member WHERE group_id {_GONE} OR user_id {_GONE};
DELETE FROM effect WHERE resource {_GONE} OR (key > 0 AND key {_GONE});
DELETE FROM lane WHERE resource {_GONE};
DELETE FROM verification WHERE resource {_GONE};
DELETE FROM nest WHERE parent {_GONE} OR child {_GONE};
DELETE FROM alias WHERE resource {_GONE};
DELETE FROM change WHERE resource {_GONE};
UPDATE resource SET part_of = NULL, part_no = NULL WHERE part_of {_GONE};
-- Ids that were given out stay valid.
INSERT OR IGNORE INTO alias (id, resource) SELECT public_id, id FROM resource;
INSERT OR IGNORE INTO alias (id, resource)
  SELECT target_id, id FROM resource WHERE target_id IS NOT NULL;
-- Head counts are those of the rosters.
UPDATE resource SET
  size = (SELECT count(*) FROM member m WHERE m.group_id = resource.id AND m.desired = 1),
  c_size = (SELECT count(*) FROM member m WHERE m.group_id = resource.id AND m.confirmed <> 0)
  WHERE kind = 'Group';
-- What has something to send is in a lane; what has nothing left to send is no more pending.
INSERT OR IGNORE INTO lane (resource, state, urgency, first, since, touched)
  SELECT e.resource, 'ready', 1, min(e.first), 0, 0 FROM effect e
  WHERE e.state <> 'parked' GROUP BY e.resource;
UPDATE change SET state = 'parked', settled_at = at, status = 500, detail = '{LOST}'
  WHERE state = 'pending' AND NOT EXISTS
  (SELECT 1 FROM effect e WHERE e.resource = change.resource AND e.state <> 'parked');
-- The law of conservation (C1) holds for what is left.
UPDATE counter SET value =
  (SELECT count(*) FROM change WHERE change.state = counter.name) WHERE name <> 'requests';
UPDATE counter SET value = (SELECT count(*) FROM change) WHERE name = 'accepted';
"""


def mend(connection: Connection, why: str, now: float) -> None:
    """Make a salvaged database whole in itself, and have it begin in the hold `restored`.

    Args:
        connection: to the new file.
        why: for the operator, who sees it as the hold's reason.
        now: seconds since the epoch.
    """
    connection.execute("BEGIN")
    for step in statements(STEPS):
        connection.execute(step)
    note = "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)"
    connection.execute(note, (RESTORED, why))
    what = orjson.dumps({"missing": audit_log.missing(connection)}).decode()
    about = ("salvaged", "operator", None, None, None, what)
    audit_log.append(connection, audit_log.head(connection), now, about, why)
    connection.execute("COMMIT")
