"""The tables as the first release has them; `migrations` says what was added since.

Lifecycle columns hold the words of `records.ChangeState` and `rules.effects.EffectState`.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x5C13_0E1A
"""Written into the file's header: another program's database is told from ours."""

TABLES: Final = """
-- A User or Group: what the IdP was told (desired), and what TFE last acknowledged (c_*).
CREATE TABLE resource (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  public_id TEXT NOT NULL,              -- the id answers carry; see alias
  target_id TEXT,                       -- TFE's id; null until bound
  state TEXT NOT NULL,                  -- live, deleted (until settled), parked, gone
  origin TEXT NOT NULL,                 -- the connection that created it, or 'import'
  name TEXT NOT NULL,                   -- desired
  name_key TEXT NOT NULL,               -- case-folded
  external_id TEXT,
  active INTEGER,
  email TEXT,
  shadow TEXT NOT NULL,                 -- JSON: what the IdP wrote, id, meta and members apart
  size INTEGER NOT NULL DEFAULT 0,      -- members desired
  c_exists INTEGER NOT NULL DEFAULT 0,  -- confirmed
  c_name TEXT,
  c_name_key TEXT,
  c_external_id TEXT,
  c_active INTEGER,
  c_email TEXT,
  c_size INTEGER NOT NULL DEFAULT 0,    -- members TFE may hold now, at most
  c_at REAL NOT NULL DEFAULT 0,         -- when TFE last told anything of it
  c_active_at REAL NOT NULL DEFAULT 0,  -- when it last told `active` (K3)
  c_roster_at REAL NOT NULL DEFAULT 0,  -- when it last told a group's whole roster (K3)
  sent_name TEXT,                       -- a name that an unsettled attempt may have given it
  sent_name_key TEXT,
  created REAL NOT NULL,
  modified REAL NOT NULL,
  last_change INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX resource_name ON resource (kind, name_key, state);
CREATE INDEX resource_external ON resource (kind, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX resource_email ON resource (email COLLATE NOCASE) WHERE email IS NOT NULL;
CREATE INDEX resource_parked ON resource (kind, name_key) WHERE state = 'parked';
CREATE INDEX resource_listed ON resource (kind, id) WHERE state = 'live';
CREATE INDEX resource_confirmed ON resource (kind, c_name_key) WHERE c_name_key IS NOT NULL;
CREATE INDEX resource_sent ON resource (kind, sent_name_key) WHERE sent_name_key IS NOT NULL;

-- Every id ever given out, ours and TFE's: valid for ever.
CREATE TABLE alias (
  id TEXT PRIMARY KEY,
  resource INTEGER NOT NULL
) WITHOUT ROWID;

-- Rosters: rows, so that one member costs the same in a group of 10 and of 1,000.
CREATE TABLE member (
  group_id INTEGER NOT NULL,
  user_id INTEGER NOT NULL,
  desired INTEGER NOT NULL,             -- 0 or 1
  confirmed INTEGER NOT NULL,           -- 0, 1, or 2: unknown
  PRIMARY KEY (group_id, user_id)
) WITHOUT ROWID;
CREATE INDEX member_user ON member (user_id);

-- A key in which desired and confirmed differ, or may differ (relay.rules.effects).
CREATE TABLE effect (
  resource INTEGER NOT NULL,
  key INTEGER NOT NULL,                 -- > 0: a user's row; 0 exists, -1 name, -2 external_id, ...
  first INTEGER NOT NULL,               -- the first unsettled change that wrote it
  last INTEGER NOT NULL,                -- the last
  base TEXT,                            -- JSON: its value before `first`
  revokes INTEGER NOT NULL,
  state TEXT NOT NULL,
  unknown INTEGER NOT NULL DEFAULT 0,
  slice INTEGER NOT NULL DEFAULT 0,     -- parts of an unfolded plan are sent in this order
  due REAL NOT NULL DEFAULT 0,          -- not before (a refused revocation's back-off)
  refusals INTEGER NOT NULL DEFAULT 0,
  opened REAL NOT NULL,
  reason TEXT,                          -- JSON: TFE's status and words, for owed and parked
  held_by TEXT,                         -- state held: which rule of the guard; else null
  held_at REAL,                         -- since when
  PRIMARY KEY (resource, key)
) WITHOUT ROWID;
CREATE INDEX effect_state ON effect (resource, state, revokes);
CREATE INDEX effect_held ON effect (held_by) WHERE held_by IS NOT NULL;
CREATE INDEX effect_parked ON effect (resource) WHERE state = 'parked';
CREATE INDEX effect_waiting ON effect (key) WHERE state = 'waiting';
CREATE INDEX effect_owed ON effect (opened) WHERE revokes = 1 AND state <> 'parked';

-- The guard's ledger: what each connection took away (semantics H3).
CREATE TABLE revocation (
  resource INTEGER NOT NULL,
  key INTEGER NOT NULL,
  loss TEXT NOT NULL,                   -- deactivations, deletions, removals
  connection TEXT NOT NULL,
  change INTEGER NOT NULL,              -- the one that took it away
  at REAL NOT NULL,
  weight INTEGER NOT NULL,              -- counts this much; 0 once it left the window
  approved INTEGER NOT NULL DEFAULT 0,  -- an operator let it through
  PRIMARY KEY (resource, key, loss)
) WITHOUT ROWID;
CREATE INDEX revocation_counted ON revocation (connection, loss, at) WHERE weight > 0;
CREATE INDEX revocation_connection ON revocation (connection);

-- The sum of a connection's weights by loss, kept by the triggers, and what passes.
CREATE TABLE spent (
  connection TEXT NOT NULL,
  loss TEXT NOT NULL,
  total INTEGER NOT NULL DEFAULT 0,
  allowed INTEGER NOT NULL DEFAULT -1,
  allowed_at REAL NOT NULL DEFAULT 0,
  PRIMARY KEY (connection, loss)
) WITHOUT ROWID;
CREATE TRIGGER revocation_added AFTER INSERT ON revocation BEGIN
  INSERT INTO spent (connection, loss, total) VALUES (new.connection, new.loss, new.weight)
    ON CONFLICT DO UPDATE SET total = total + excluded.total; END;
CREATE TRIGGER revocation_gone AFTER DELETE ON revocation BEGIN
  UPDATE spent SET total = total - old.weight WHERE connection = old.connection
    AND loss = old.loss; END;
CREATE TRIGGER revocation_weighed AFTER UPDATE OF weight ON revocation BEGIN
  UPDATE spent SET total = total + new.weight - old.weight WHERE connection = new.connection
    AND loss = new.loss; END;

-- A connection that took away more than its budget: what it takes from now on waits too.
CREATE TABLE trip (
  connection TEXT PRIMARY KEY,
  since REAL NOT NULL,
  reason TEXT NOT NULL
);

-- Names and addresses that no change may touch unasked, bound to whom they first meant.
CREATE TABLE protected (
  kind TEXT NOT NULL,
  name_key TEXT NOT NULL,
  name TEXT NOT NULL,
  resource INTEGER,
  PRIMARY KEY (kind, name_key)
) WITHOUT ROWID;

-- What an operator rejected: here TFE and the IdP differ until the IdP writes the key again.
CREATE TABLE rejected (
  resource INTEGER NOT NULL,
  key INTEGER NOT NULL,
  connection TEXT NOT NULL,
  change INTEGER NOT NULL,
  at REAL NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (resource, key)
) WITHOUT ROWID;

-- One accepted write of an IdP.
CREATE TABLE change (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  resource INTEGER NOT NULL,
  connection TEXT NOT NULL,
  verb TEXT NOT NULL,
  at REAL NOT NULL,
  state TEXT NOT NULL,
  writes TEXT NOT NULL,                 -- JSON: the keys it wrote and their values
  digest TEXT,                          -- of a POST: to know its repetition
  answered_by TEXT,                     -- null while a client waits; directory, target, nobody
  answered INTEGER NOT NULL DEFAULT 0,  -- the answer was wholly written to a live socket
  settled_at REAL,
  status INTEGER,
  scim_type TEXT,
  detail TEXT
);
CREATE INDEX change_pending ON change (resource, id) WHERE state = 'pending';
CREATE INDEX change_oldest ON change (id) WHERE state = 'pending';
CREATE INDEX change_parked ON change (id) WHERE state = 'parked';
CREATE INDEX change_parked_of ON change (resource, id) WHERE state = 'parked';

-- One request to TFE; the row is on disk before its first byte leaves.
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  resource INTEGER NOT NULL,
  through INTEGER NOT NULL,             -- it covers changes up to this one
  purpose TEXT NOT NULL,                -- write, or the look-up that settles a doubt
  method TEXT NOT NULL,
  path TEXT NOT NULL,
  claimed_at REAL NOT NULL,
  settled_at REAL,
  verdict TEXT,                         -- null: no result is recorded
  status INTEGER,
  detail TEXT,
  keys TEXT                             -- JSON: of a write, the effects it brings over
);
CREATE INDEX attempt_unsettled ON attempt (id) WHERE verdict IS NULL;
CREATE INDEX attempt_resource ON attempt (resource, id);

-- A resource with open effects: what delivery chooses from.
CREATE TABLE lane (
  resource INTEGER PRIMARY KEY,
  state TEXT NOT NULL,                  -- ready, resting (until due), blocked, sending
  urgency INTEGER NOT NULL,             -- 0: a revocation is in it
  first INTEGER NOT NULL,               -- its oldest pending change
  due REAL NOT NULL DEFAULT 0,
  since REAL NOT NULL,                  -- when it last had nothing to send
  touched REAL NOT NULL,                -- its last change
  ask TEXT,                             -- the read that must come before the next write
  doubt TEXT,                           -- why: ambiguous, conflict, missing, refused, deadly
  unfolding INTEGER NOT NULL DEFAULT 0, -- a refused plan is being taken apart
  behind INTEGER,                       -- blocked: the resource whose name it waits for
  strikes INTEGER NOT NULL DEFAULT 0,   -- failures charged to it, not to TFE
  struck REAL NOT NULL DEFAULT 0,       -- when the first of them was
  crashes INTEGER NOT NULL DEFAULT 0,   -- deaths and faults of the relay over it
  tries INTEGER NOT NULL DEFAULT 0      -- look-ups that found nobody after a 409 said somebody is
);
CREATE INDEX lane_next ON lane (state, urgency, first);
CREATE INDEX lane_due ON lane (state, due);
CREATE INDEX lane_behind ON lane (behind) WHERE behind IS NOT NULL;

-- After a doubtful attempt: read back what TFE really holds (semantics K2).
CREATE TABLE verification (
  resource INTEGER PRIMARY KEY,
  due REAL NOT NULL
);
CREATE INDEX verification_due ON verification (due);

-- Room for delivery's results when the disk is full (relay.store.file.ballast).
CREATE TABLE ballast (
  id INTEGER PRIMARY KEY,
  filler BLOB NOT NULL
);

CREATE TABLE hold (
  name TEXT PRIMARY KEY,
  since REAL NOT NULL,
  until REAL,
  reason TEXT NOT NULL
);
CREATE TABLE counter (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
);
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
CREATE TABLE audit (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at REAL NOT NULL,
  event TEXT NOT NULL,
  actor TEXT NOT NULL,
  change INTEGER,
  resource INTEGER,
  detail TEXT
);
INSERT INTO counter VALUES
  ('accepted', 0), ('pending', 0), ('delivered', 0), ('refused', 0), ('parked', 0), ('dropped', 0),
  ('requests', 0);
"""
