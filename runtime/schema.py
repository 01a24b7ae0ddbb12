"""The tables of `orlop.db`, as migrations: entry N takes a database from version N to N + 1.

A migration that has shipped is never edited; a change is a new entry. Columns named `sealed` hold AES-256-GCM
ciphertext (`runtime.vault`); everything else may be read by whoever reads the file: ids, hashes, counts and states.
"""

__all__ = ["MIGRATIONS", "VERSION"]

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE journal (seq INTEGER PRIMARY KEY, ts_ms INTEGER NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX journal_by_time ON journal (ts_ms);
CREATE INDEX journal_by_type ON journal (type, seq);
CREATE TABLE secrets (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE rooms (
  room TEXT PRIMARY KEY, name TEXT NOT NULL, created_ms INTEGER NOT NULL, sealed_key BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE room_members (
  room TEXT NOT NULL, identity_key TEXT NOT NULL, is_self INTEGER NOT NULL, joined_ms INTEGER NOT NULL,
  sealed BLOB NOT NULL, PRIMARY KEY (room, identity_key)
) WITHOUT ROWID;
CREATE TABLE room_log (
  pos INTEGER PRIMARY KEY, room TEXT NOT NULL, event_id TEXT NOT NULL, author TEXT NOT NULL,
  author_seq INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
  sealed BLOB NOT NULL, UNIQUE (room, event_id), UNIQUE (room, author, author_seq)
);
CREATE INDEX room_log_by_room ON room_log (room, pos);

CREATE TABLE agents (
  room TEXT NOT NULL, agent TEXT NOT NULL, builtin INTEGER NOT NULL, manifest TEXT NOT NULL, hash TEXT NOT NULL,
  size_bytes INTEGER NOT NULL, uploaded_ms INTEGER NOT NULL, mark TEXT NOT NULL, granted TEXT NOT NULL,
  active INTEGER NOT NULL, upload_no INTEGER NOT NULL, PRIMARY KEY (room, agent)
) WITHOUT ROWID;
CREATE TABLE agent_versions (
  room TEXT NOT NULL, agent TEXT NOT NULL, upload_no INTEGER NOT NULL, version TEXT NOT NULL, hash TEXT NOT NULL,
  uploaded_ms INTEGER NOT NULL, PRIMARY KEY (room, agent, upload_no)
) WITHOUT ROWID;
CREATE TABLE agent_state (
  room TEXT NOT NULL, agent TEXT NOT NULL, hash TEXT NOT NULL, version INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
  sealed BLOB NOT NULL, PRIMARY KEY (room, agent)
) WITHOUT ROWID;
CREATE TABLE agent_breakers (
  room TEXT NOT NULL, agent TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (room, agent)
) WITHOUT ROWID;
CREATE TABLE agent_diagnostics (
  id INTEGER PRIMARY KEY, room TEXT NOT NULL, agent TEXT NOT NULL, ts_ms INTEGER NOT NULL, kind TEXT NOT NULL,
  sealed BLOB NOT NULL
);
CREATE INDEX agent_diagnostics_by_agent ON agent_diagnostics (room, agent, id);

CREATE TABLE jobs (
  job TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, name TEXT NOT NULL, module TEXT NOT NULL,
  submitter TEXT NOT NULL, place TEXT NOT NULL, manifest TEXT NOT NULL, state TEXT NOT NULL,
  outcome TEXT NOT NULL, reason TEXT NOT NULL, created_ms INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER,
  exit_code INTEGER, usage TEXT NOT NULL, limits TEXT NOT NULL, receipt TEXT NOT NULL, runner_pid INTEGER NOT NULL,
  runner_start TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX jobs_by_state ON jobs (state);
CREATE TABLE receipts (
  receipt TEXT PRIMARY KEY, worker TEXT NOT NULL, number INTEGER NOT NULL, previous TEXT NOT NULL, job TEXT NOT NULL,
  own INTEGER NOT NULL, issued_ms INTEGER NOT NULL, exit_code INTEGER NOT NULL, outcome TEXT NOT NULL,
  verdict TEXT NOT NULL, document TEXT, UNIQUE (worker, number)
) WITHOUT ROWID;
CREATE INDEX receipts_by_job ON receipts (job);
"""

_SECOND = """
ALTER TABLE jobs ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN detached INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN retries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN expires_ms INTEGER;
ALTER TABLE jobs ADD COLUMN keep_output INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN tripped TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_by_place ON jobs (state, priority DESC, number);
DROP INDEX jobs_by_state;
CREATE INDEX jobs_by_state ON jobs (state, number DESC);
CREATE INDEX jobs_by_submitter ON jobs (submitter, number DESC);

CREATE TABLE blobs (
  hash TEXT PRIMARY KEY, size INTEGER NOT NULL, created_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE job_blobs (
  job TEXT NOT NULL, role TEXT NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (job, role)
) WITHOUT ROWID;
CREATE INDEX job_blobs_by_hash ON job_blobs (hash);

CREATE TABLE submitters (
  key TEXT PRIMARY KEY, added_ms INTEGER NOT NULL, note TEXT NOT NULL
) WITHOUT ROWID;
ALTER TABLE receipts ADD COLUMN manifest TEXT NOT NULL DEFAULT '';
CREATE INDEX receipts_by_time ON receipts (issued_ms DESC, number DESC);
CREATE INDEX receipts_by_outcome ON receipts (outcome, issued_ms DESC, number DESC);
CREATE INDEX receipts_by_worker ON receipts (worker, issued_ms DESC, number DESC);
CREATE INDEX receipts_by_worker_outcome ON receipts (worker, outcome, issued_ms DESC, number DESC);
CREATE INDEX receipts_by_kept ON receipts (issued_ms DESC, number DESC) WHERE document IS NOT NULL;
CREATE TABLE node_keys (
  public TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, statement TEXT NOT NULL, created_ms INTEGER NOT NULL
) WITHOUT ROWID;
"""

_THIRD = """
ALTER TABLE rooms ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE rooms ADD COLUMN sealed_link BLOB;
ALTER TABLE rooms ADD COLUMN state TEXT NOT NULL DEFAULT 'open';
ALTER TABLE room_members ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE room_members ADD COLUMN present INTEGER NOT NULL DEFAULT 1;
ALTER TABLE room_log ADD COLUMN prev TEXT NOT NULL DEFAULT '';
ALTER TABLE room_log ADD COLUMN signature BLOB;
CREATE TABLE room_held (
  room TEXT NOT NULL, event_id TEXT NOT NULL, author TEXT NOT NULL, author_seq INTEGER NOT NULL,
  reason TEXT NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (room, event_id)
) WITHOUT ROWID;
CREATE TABLE room_reminders (
  room TEXT NOT NULL, task TEXT NOT NULL, due_ms INTEGER NOT NULL, PRIMARY KEY (room, task)
) WITHOUT ROWID;

CREATE TABLE agent_trust (
  room TEXT NOT NULL, key TEXT NOT NULL, added_ms INTEGER NOT NULL, note TEXT NOT NULL, PRIMARY KEY (room, key)
) WITHOUT ROWID;
ALTER TABLE agent_versions ADD COLUMN manifest TEXT NOT NULL DEFAULT '';
ALTER TABLE agent_versions ADD COLUMN granted TEXT NOT NULL DEFAULT '[]';
ALTER TABLE agent_versions ADD COLUMN mark TEXT NOT NULL DEFAULT '';
ALTER TABLE agent_versions ADD COLUMN state_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent_versions ADD COLUMN sealed_state BLOB;
UPDATE agents SET mark = 'shipped' WHERE builtin = 1;
CREATE TABLE agent_minutes (
  room TEXT NOT NULL, agent TEXT NOT NULL, minute INTEGER NOT NULL, calls INTEGER NOT NULL, failures INTEGER NOT NULL,
  emitted INTEGER NOT NULL, dropped INTEGER NOT NULL, cpu_us INTEGER NOT NULL, p95_us INTEGER NOT NULL,
  PRIMARY KEY (room, agent, minute)
) WITHOUT ROWID;
CREATE INDEX agent_minutes_by_minute ON agent_minutes (minute);
CREATE TABLE agent_hours (
  room TEXT NOT NULL, agent TEXT NOT NULL, hour INTEGER NOT NULL, calls INTEGER NOT NULL, failures INTEGER NOT NULL,
  emitted INTEGER NOT NULL, dropped INTEGER NOT NULL, cpu_us INTEGER NOT NULL, p95_us INTEGER NOT NULL,
  PRIMARY KEY (room, agent, hour)
) WITHOUT ROWID;
CREATE INDEX agent_hours_by_hour ON agent_hours (hour);
"""

_FOURTH = """
CREATE TABLE peers (
  peer TEXT PRIMARY KEY, name TEXT NOT NULL, note TEXT NOT NULL, trusted_ms INTEGER, banned_ms INTEGER,
  reason TEXT NOT NULL, lied_ms INTEGER, lie TEXT NOT NULL, seen_ms INTEGER NOT NULL, proven_ms INTEGER,
  done INTEGER NOT NULL, failed INTEGER NOT NULL, rtt_us INTEGER, agent TEXT NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX peers_by_name ON peers (name) WHERE name <> '';
CREATE INDEX peers_by_age ON peers (seen_ms);
CREATE TABLE peer_addresses (
  peer TEXT NOT NULL, address TEXT NOT NULL, source TEXT NOT NULL, seen_ms INTEGER NOT NULL, proven_ms INTEGER,
  PRIMARY KEY (peer, address)
) WITHOUT ROWID;
"""

_FIFTH = """
CREATE TABLE components (
  component TEXT PRIMARY KEY, version TEXT NOT NULL, hash TEXT NOT NULL, size INTEGER NOT NULL,
  manifest TEXT NOT NULL, grants TEXT NOT NULL, mounts TEXT NOT NULL, mark TEXT NOT NULL,
  installed_ms INTEGER NOT NULL, wanted INTEGER NOT NULL, given_up TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE component_storage (
  component TEXT NOT NULL, namespace TEXT NOT NULL, key TEXT NOT NULL, writes INTEGER NOT NULL, size INTEGER NOT NULL,
  sealed BLOB NOT NULL, PRIMARY KEY (component, namespace, key)
) WITHOUT ROWID;
CREATE TABLE component_log (
  id INTEGER PRIMARY KEY, component TEXT NOT NULL, ts_ms INTEGER NOT NULL, level TEXT NOT NULL, sealed BLOB NOT NULL
);
CREATE INDEX component_log_by_component ON component_log (component, id);
"""

_SIXTH = """
CREATE INDEX jobs_by_module ON jobs (submitter, module);
CREATE TABLE failed_providers (
  peer TEXT NOT NULL, what TEXT NOT NULL, failed_ms INTEGER NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (peer, what)
) WITHOUT ROWID;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH)
"""SQL scripts; the database's `PRAGMA user_version` counts how many were applied."""

VERSION = len(MIGRATIONS)
