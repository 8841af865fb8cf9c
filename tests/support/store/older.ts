import { MIGRATIONS } from "../../../src/store/sqlite/schema.ts";
import { connect } from "./sql.ts";

/** How many migrations {@linkcode older} has applied. */
export const OLDER = 10;

/** A database as an older rekey has left it. */
export function older(path: string): void {
  using sqlite = connect(path);
  for (const migration of MIGRATIONS.slice(0, OLDER)) sqlite.exec(migration);
  sqlite.exec(`
    INSERT INTO rekey_meta VALUES ('app', 'a'), ('alg', 'HS512');
    INSERT INTO settings VALUES ('jwt_secret', 'sealed', 1);
    INSERT INTO rekey_versions (version, kid, state, location, origin, created_at, synced)
      VALUES (1, 'one', 'current', 'database', 'generated', 1, 1);
    INSERT INTO rekey_sessions VALUES ('j', 1, 'alice', 1, 2, NULL);
    INSERT INTO rekey_users (name, password, created_at, changed_at) VALUES ('alice', 'p', 1, 1);
    INSERT INTO rekey_audit VALUES (1, 't', 'JWT secret created', 1, NULL, NULL, NULL, 'a', NULL, 'h');
    INSERT INTO rekey_delivery_states VALUES ('api', '{}');
    PRAGMA user_version = ${OLDER};`);
}
