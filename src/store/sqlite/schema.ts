/**
 * The database's tables, as a list of migrations: `PRAGMA user_version` is how many were applied. Only append to it.
 * rekey's tables have a prefix, since the file may belong to an application.
 *
 * Times are milliseconds since the epoch, UTC. `rekey_versions.synced` is 0 while the keyring may hold items that do not
 * fit the row's state (see `secret/keyring/reconcile.ts`).
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS settings (
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
     location TEXT NOT NULL CHECK (location IN ('keyring', 'database')),
     origin TEXT NOT NULL CHECK (origin IN ('generated', 'adopted')),
     created_at INTEGER NOT NULL,
     activated_at INTEGER,
     retired_at INTEGER,
     grace_until INTEGER,
     reason TEXT,
     request_id TEXT UNIQUE,
     replaces INTEGER,
     synced INTEGER NOT NULL CHECK (synced IN (0, 1))
   ) STRICT;
   CREATE UNIQUE INDEX rekey_one_current ON rekey_versions (state) WHERE state = 'current';
   CREATE UNIQUE INDEX rekey_one_pending ON rekey_versions (state) WHERE state = 'pending';
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
   CREATE INDEX rekey_sessions_active ON rekey_sessions (version, expires_at)
     WHERE revoked_at IS NULL;`,
  `CREATE TABLE rekey_users (
     name TEXT PRIMARY KEY,
     password TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     changed_at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE rekey_throttle (
     kind TEXT NOT NULL CHECK (kind IN ('user', 'address')),
     name TEXT NOT NULL,
     failures INTEGER NOT NULL,
     last_at INTEGER NOT NULL,
     PRIMARY KEY (kind, name)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX rekey_throttle_age ON rekey_throttle (last_at);
   CREATE INDEX rekey_sessions_expiry ON rekey_sessions (expires_at);
   CREATE INDEX rekey_sessions_sub ON rekey_sessions (sub, expires_at);`,
  `DROP INDEX rekey_sessions_sub;
   CREATE INDEX rekey_sessions_sub ON rekey_sessions (sub, issued_at) WHERE revoked_at IS NULL;
   CREATE INDEX rekey_sessions_newest ON rekey_sessions (issued_at) WHERE revoked_at IS NULL;`,
  // SQLite cannot change a constraint, and the table cannot be replaced, since sessions refer to it.
  `ALTER TABLE rekey_versions RENAME COLUMN location TO old_location;
   ALTER TABLE rekey_versions ADD COLUMN location TEXT NOT NULL DEFAULT 'database'
     CHECK (location IN ('keyring', 'database', 'etcd'));
   UPDATE rekey_versions SET location = old_location;
   ALTER TABLE rekey_versions DROP COLUMN old_location;`,
  // Before, all versions had the app's algorithm and key form.
  `ALTER TABLE rekey_versions ADD COLUMN alg TEXT NOT NULL DEFAULT 'HS512'
     CHECK (alg IN ('HS256', 'HS384', 'HS512'));
   ALTER TABLE rekey_versions ADD COLUMN key_form TEXT NOT NULL DEFAULT 'text'
     CHECK (key_form IN ('text', 'raw'));
   UPDATE rekey_versions SET alg = value FROM rekey_meta
     WHERE key = 'alg' AND value IN ('HS256', 'HS384', 'HS512');
   UPDATE rekey_versions SET key_form = value FROM rekey_meta
     WHERE key = 'key_form' AND value IN ('text', 'raw');`,
  // Processes that `exec` has given a secret.
  `CREATE TABLE rekey_exec (
     place TEXT NOT NULL,
     pid INTEGER NOT NULL,
     started INTEGER NOT NULL,
     kid TEXT NOT NULL,
     program TEXT NOT NULL,
     since INTEGER NOT NULL,
     keeper_pid INTEGER,
     keeper_started INTEGER,
     signal TEXT,
     PRIMARY KEY (place, pid)
   ) STRICT, WITHOUT ROWID;`,
  // Programs that get keys, and how far each has come. Backups hold the settings only.
  `CREATE TABLE rekey_deliveries (
     name TEXT PRIMARY KEY,
     settings TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE rekey_delivery_states (
     name TEXT PRIMARY KEY,
     state TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  // What the tokens of a user's logins say besides, as a JSON object.
  `ALTER TABLE rekey_users ADD COLUMN claims TEXT;`,
  // The key form hex; length and encoding of the values that rekey makes. The constraint cannot be changed, as above.
  `ALTER TABLE rekey_versions RENAME COLUMN key_form TO old_key_form;
   ALTER TABLE rekey_versions ADD COLUMN key_form TEXT NOT NULL DEFAULT 'text'
     CHECK (key_form IN ('text', 'raw', 'hex'));
   UPDATE rekey_versions SET key_form = old_key_form;
   ALTER TABLE rekey_versions DROP COLUMN old_key_form;
   ALTER TABLE rekey_versions ADD COLUMN bytes INTEGER NOT NULL DEFAULT 64;
   ALTER TABLE rekey_versions ADD COLUMN encoding TEXT NOT NULL DEFAULT 'base64'
     CHECK (encoding IN ('base64', 'base64url', 'hex'));`,
  // What the file of keys of a program holds.
  `ALTER TABLE rekey_exec ADD COLUMN keys TEXT;`,
  // Key pairs: their algorithms and their form; the kid of tokens of an imported one, if it is not that of the version;
  // since when the public set has had a version that is not current yet. Constraints are changed as above.
  `ALTER TABLE rekey_versions RENAME COLUMN alg TO old_alg;
   ALTER TABLE rekey_versions ADD COLUMN alg TEXT NOT NULL DEFAULT 'HS512'
     CHECK (alg IN ('HS256', 'HS384', 'HS512', 'ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA', 'RS256', 'RS384',
                    'RS512', 'PS256', 'PS384', 'PS512'));
   UPDATE rekey_versions SET alg = old_alg;
   ALTER TABLE rekey_versions DROP COLUMN old_alg;
   ALTER TABLE rekey_versions RENAME COLUMN key_form TO old_key_form;
   ALTER TABLE rekey_versions ADD COLUMN key_form TEXT NOT NULL DEFAULT 'text'
     CHECK (key_form IN ('text', 'raw', 'hex', 'pkcs8'));
   UPDATE rekey_versions SET key_form = old_key_form;
   ALTER TABLE rekey_versions DROP COLUMN old_key_form;
   ALTER TABLE rekey_versions ADD COLUMN token_kid TEXT;
   ALTER TABLE rekey_versions ADD COLUMN published_at INTEGER;
   CREATE UNIQUE INDEX rekey_token_kid ON rekey_versions (token_kid) WHERE token_kid IS NOT NULL;`,
  // Signed checkpoints of the audit log, and the Merkle tree of its rows as far as one was made.
  `CREATE TABLE rekey_checkpoints (
     size INTEGER PRIMARY KEY,
     note TEXT NOT NULL
   ) STRICT;
   CREATE TABLE rekey_audit_tree (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     state TEXT NOT NULL,
     hash TEXT NOT NULL
   ) STRICT;`,
  // From when a prepared version may become the current one; a rotation may begin while one is prepared. Before, only
  // machines that share a secret prepared one.
  `ALTER TABLE rekey_versions ADD COLUMN activatable_at INTEGER;
   UPDATE rekey_versions SET published_at = created_at WHERE state = 'pending' AND location = 'etcd';
   DROP INDEX rekey_one_pending;
   CREATE INDEX rekey_pending ON rekey_versions (version) WHERE state = 'pending';
   CREATE UNIQUE INDEX rekey_one_begun ON rekey_versions (state)
     WHERE state = 'pending' AND published_at IS NULL;
   CREATE UNIQUE INDEX rekey_one_prepared ON rekey_versions (state)
     WHERE state = 'pending' AND published_at IS NOT NULL;`,
  // Where rows of the audit log are sent, and up to which one each sink has them. Backups do not hold it.
  `CREATE TABLE rekey_audit_sinks (
     sink TEXT PRIMARY KEY,
     seq INTEGER NOT NULL,
     failed_at INTEGER,
     error TEXT
   ) STRICT, WITHOUT ROWID;`,
  // Runs of rows that were pruned from the audit log.
  `CREATE TABLE rekey_audit_gaps (
     last INTEGER PRIMARY KEY,
     first INTEGER NOT NULL,
     hash TEXT NOT NULL,
     tree TEXT NOT NULL,
     seal TEXT NOT NULL
   ) STRICT;`,
  // The counters of the log at whole minutes, hours and days, for the status page.
  `CREATE TABLE rekey_history (
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
   ) STRICT, WITHOUT ROWID;`,
  // With all that counting and listing need. For anything else, the condition of a partial index too, SQLite looks up the
  // row of each entry, which takes thirty times as long.
  `DROP INDEX rekey_sessions_active;
   CREATE INDEX rekey_sessions_active ON rekey_sessions (version, expires_at, revoked_at)
     WHERE revoked_at IS NULL;
   DROP INDEX rekey_sessions_newest;
   CREATE INDEX rekey_sessions_newest ON rekey_sessions (issued_at, expires_at, revoked_at)
     WHERE revoked_at IS NULL;
   DROP INDEX rekey_sessions_sub;
   CREATE INDEX rekey_sessions_sub ON rekey_sessions (sub, issued_at, expires_at, revoked_at)
     WHERE revoked_at IS NULL;
   CREATE INDEX rekey_sessions_ended ON rekey_sessions (revoked_at) WHERE revoked_at IS NOT NULL;
   CREATE INDEX rekey_users_beyond_ascii ON rekey_users (name) WHERE name GLOB '*[^ -~]*';`,
];

/** rekey's tables, children first: sessions refer to versions. `settings` is shared with the application. */
export const OWN_TABLES = [
  "rekey_delivery_states",
  "rekey_deliveries",
  "rekey_exec",
  "rekey_throttle",
  "rekey_users",
  "rekey_sessions",
  "rekey_history",
  "rekey_audit_counts",
  "rekey_audit_sinks",
  "rekey_audit_gaps",
  "rekey_audit_tree",
  "rekey_checkpoints",
  "rekey_verifications",
  "rekey_audit",
  "rekey_versions",
  "rekey_meta",
] as const;
