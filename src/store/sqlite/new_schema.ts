/**
 * The tables that {@linkcode MIGRATIONS} make of an empty file, in SQLite's own words. To make them so takes half a
 * millisecond; the migrations take ten, since SQLite reads all tables again for each change of one.
 * `tests/unit/soundness_test.ts` compares the two, and shows what is to be here.
 */
export const NEW_SCHEMA = `CREATE TABLE settings (
     key TEXT PRIMARY KEY,
     value TEXT NOT NULL,
     encrypted INTEGER NOT NULL DEFAULT 0
   );
CREATE TABLE rekey_meta (
     key TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
CREATE TABLE rekey_versions (
     version INTEGER PRIMARY KEY,
     kid TEXT NOT NULL UNIQUE,
     state TEXT NOT NULL CHECK (state IN ('pending', 'current', 'previous', 'retired')),
     origin TEXT NOT NULL CHECK (origin IN ('generated', 'adopted')),
     created_at INTEGER NOT NULL,
     activated_at INTEGER,
     retired_at INTEGER,
     grace_until INTEGER,
     reason TEXT,
     request_id TEXT UNIQUE,
     replaces INTEGER,
     synced INTEGER NOT NULL CHECK (synced IN (0, 1))
   , location TEXT NOT NULL DEFAULT 'database'
     CHECK (location IN ('keyring', 'database', 'etcd')), bytes INTEGER NOT NULL DEFAULT 64, encoding TEXT NOT NULL DEFAULT 'base64'
     CHECK (encoding IN ('base64', 'base64url', 'hex')), alg TEXT NOT NULL DEFAULT 'HS512'
     CHECK (alg IN ('HS256', 'HS384', 'HS512', 'ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA', 'RS256', 'RS384',
                    'RS512', 'PS256', 'PS384', 'PS512')), key_form TEXT NOT NULL DEFAULT 'text'
     CHECK (key_form IN ('text', 'raw', 'hex', 'pkcs8')), token_kid TEXT, published_at INTEGER, activatable_at INTEGER) STRICT;
CREATE UNIQUE INDEX rekey_one_current ON rekey_versions (state) WHERE state = 'current';
CREATE INDEX rekey_previous ON rekey_versions (version) WHERE state = 'previous';
CREATE INDEX rekey_unsynced ON rekey_versions (version) WHERE synced = 0;
CREATE TABLE rekey_audit (
     seq INTEGER PRIMARY KEY,
     time TEXT NOT NULL,
     event TEXT NOT NULL,
     version INTEGER,
     kid TEXT,
     location TEXT,
     duration INTEGER,
     actor TEXT NOT NULL,
     reason TEXT,
     hash TEXT NOT NULL
   ) STRICT;
CREATE INDEX rekey_audit_event ON rekey_audit (event, seq);
CREATE TABLE rekey_audit_counts (
     event TEXT NOT NULL,
     home TEXT NOT NULL,
     count INTEGER NOT NULL,
     PRIMARY KEY (event, home)
   ) STRICT, WITHOUT ROWID;
CREATE TABLE rekey_verifications (
     result TEXT PRIMARY KEY,
     count INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
CREATE TABLE rekey_sessions (
     jti TEXT PRIMARY KEY,
     version INTEGER NOT NULL REFERENCES rekey_versions (version),
     sub TEXT NOT NULL,
     issued_at INTEGER NOT NULL,
     expires_at INTEGER NOT NULL,
     revoked_at INTEGER
   ) STRICT, WITHOUT ROWID;
CREATE TABLE rekey_users (
     name TEXT PRIMARY KEY,
     password TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     changed_at INTEGER NOT NULL
   , claims TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE rekey_throttle (
     kind TEXT NOT NULL CHECK (kind IN ('user', 'address')),
     name TEXT NOT NULL,
     failures INTEGER NOT NULL,
     last_at INTEGER NOT NULL,
     PRIMARY KEY (kind, name)
   ) STRICT, WITHOUT ROWID;
CREATE INDEX rekey_throttle_age ON rekey_throttle (last_at);
CREATE INDEX rekey_sessions_expiry ON rekey_sessions (expires_at);
CREATE TABLE rekey_exec (
     place TEXT NOT NULL,
     pid INTEGER NOT NULL,
     started INTEGER NOT NULL,
     kid TEXT NOT NULL,
     program TEXT NOT NULL,
     since INTEGER NOT NULL,
     keeper_pid INTEGER,
     keeper_started INTEGER,
     signal TEXT, keys TEXT,
     PRIMARY KEY (place, pid)
   ) STRICT, WITHOUT ROWID;
CREATE TABLE rekey_deliveries (
     name TEXT PRIMARY KEY,
     settings TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
CREATE TABLE rekey_delivery_states (
     name TEXT PRIMARY KEY,
     state TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX rekey_token_kid ON rekey_versions (token_kid) WHERE token_kid IS NOT NULL;
CREATE TABLE rekey_checkpoints (
     size INTEGER PRIMARY KEY,
     note TEXT NOT NULL
   ) STRICT;
CREATE TABLE rekey_audit_tree (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     state TEXT NOT NULL,
     hash TEXT NOT NULL
   ) STRICT;
CREATE INDEX rekey_pending ON rekey_versions (version) WHERE state = 'pending';
CREATE UNIQUE INDEX rekey_one_begun ON rekey_versions (state)
     WHERE state = 'pending' AND published_at IS NULL;
CREATE UNIQUE INDEX rekey_one_prepared ON rekey_versions (state)
     WHERE state = 'pending' AND published_at IS NOT NULL;
CREATE TABLE rekey_audit_sinks (
     sink TEXT PRIMARY KEY,
     seq INTEGER NOT NULL,
     failed_at INTEGER,
     error TEXT
   ) STRICT, WITHOUT ROWID;
CREATE TABLE rekey_audit_gaps (
     last INTEGER PRIMARY KEY,
     first INTEGER NOT NULL,
     hash TEXT NOT NULL,
     tree TEXT NOT NULL,
     seal TEXT NOT NULL
   ) STRICT;
CREATE TABLE rekey_history (
     step TEXT NOT NULL CHECK (step IN ('minute', 'hour', 'day')),
     at INTEGER NOT NULL,
     seq INTEGER NOT NULL,
     valid INTEGER NOT NULL,
     refused INTEGER NOT NULL,
     retrievals INTEGER NOT NULL,
     fallbacks INTEGER NOT NULL,
     rotations INTEGER NOT NULL,
     p50_ms REAL,
     p95_ms REAL,
     PRIMARY KEY (step, at)
   ) STRICT, WITHOUT ROWID;
CREATE INDEX rekey_sessions_active ON rekey_sessions (version, expires_at, revoked_at)
     WHERE revoked_at IS NULL;
CREATE INDEX rekey_sessions_newest ON rekey_sessions (issued_at, expires_at, revoked_at)
     WHERE revoked_at IS NULL;
CREATE INDEX rekey_sessions_sub ON rekey_sessions (sub, issued_at, expires_at, revoked_at)
     WHERE revoked_at IS NULL;
CREATE INDEX rekey_sessions_ended ON rekey_sessions (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX rekey_users_beyond_ascii ON rekey_users (name) WHERE name GLOB '*[^ -~]*';`;
