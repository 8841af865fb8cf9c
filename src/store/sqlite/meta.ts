import { RekeyError } from "../../core/errors.ts";
import type { Database } from "./database.ts";

/** Facts about the installation that are not secret, or are sealed. */
export type MetaKey =
  | "app"
  | "id"
  | "alg"
  | "key_form"
  | "policy"
  | "store"
  | "kek"
  | "audit_key"
  | "kek_source"
  | "etcd_source"
  | "destroying"
  | "restored"
  | "announced"
  | "note"
  | "fleet"
  | "fleet_ended"
  | "stale_kek"
  | "scrub_pending"
  | "keyring_retry_at"
  | "keyring_kind"
  | "unsaved";

/** The rows of `rekey_meta`. */
export class Meta {
  constructor(private readonly database: Database) {}

  get(key: MetaKey): string | undefined {
    const row = this.database.prepare("SELECT value FROM rekey_meta WHERE key = ?").get(key);
    return (row as { value: string } | undefined)?.value;
  }

  set(key: MetaKey, value: string): void {
    this.database.prepare(
      "INSERT INTO rekey_meta (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
    ).run(key, value);
  }

  remove(key: MetaKey): void {
    this.database.prepare("DELETE FROM rekey_meta WHERE key = ?").run(key);
  }
}

/** The error for a row of `rekey_meta` that is missing or not what rekey writes. */
export function damagedMeta(key: MetaKey): RekeyError {
  return new RekeyError(
    "database_damaged",
    `Cannot use the database: its ${key} row is missing or damaged`,
    { hint: "Restore the database from a backup" },
  );
}
