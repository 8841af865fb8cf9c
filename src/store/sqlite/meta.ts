import { RekeyError } from "../../core/errors.ts";
import type { Database } from "./database.ts";
import {
  isPolicy,
  isSamePolicy,
  policyText,
  STANDARD_POLICY,
  type TokenPolicy,
} from "../../jwt/policy.ts";

/** Facts about the installation that are not secret, or are sealed. */
export type MetaKey =
  | "app"
  | "id"
  | "alg"
  | "key_form"
  | "policy"
  | "audit_retention"
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
  | "following"
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

  /**
   * The content of a row of JSON; `undefined` when there is no row.
   *
   * @param hint default: restore a backup.
   * @throws {RekeyError} `database_damaged` when the row is not valid.
   */
  json<T>(key: MetaKey, isValid: (value: unknown) => value is T, hint?: string): T | undefined {
    const text = this.get(key);
    if (text === undefined) return undefined;
    const value = parsed(text);
    if (isValid(value)) return value;
    throw damagedMeta(key, hint);
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error for a row of `rekey_meta` that is missing or not what rekey writes. */
export function damagedMeta(
  key: MetaKey,
  hint = "Restore the database from a backup",
): RekeyError {
  const what = `Cannot use the database: its ${key} row is missing or damaged`;
  return new RekeyError("database_damaged", what, { hint });
}

/** The last change of the shared state that this machine applied. */
export interface KnownFleet {
  /** Id of the fleet. */
  readonly id: string;
  readonly change: number;
  /** SHA-256 of the sealed state. */
  readonly digest: string;
}

/**
 * The last change that this machine applied; `undefined` when it belongs to no fleet.
 *
 * @throws {RekeyError} `database_damaged` when the row cannot be read.
 */
export function knownFleet(meta: Meta): KnownFleet | undefined {
  const hint =
    "Run `rekey destroy` and `rekey init --store etcd` to copy the secret from etcd again";
  return meta.json("fleet", isKnownFleet, hint);
}

function isKnownFleet(value: unknown): value is KnownFleet {
  const { id, change } = Object(value);
  return typeof id === "string" && Number.isSafeInteger(change);
}

/** Inside a transaction: records the change that was applied. */
export function rememberFleet(
  meta: Meta,
  { state: { id, change }, digest }: { state: Omit<KnownFleet, "digest">; digest: string },
): void {
  meta.set("fleet", JSON.stringify({ id, change, digest } satisfies KnownFleet));
}

/**
 * The app's policy.
 *
 * @throws {RekeyError} `database_damaged` when its row cannot be read.
 */
export function readPolicy(meta: Meta): TokenPolicy {
  const hint = "Restore the database from a backup, or set the policy again: `rekey policy clear`";
  return meta.json("policy", isPolicy, hint) ?? STANDARD_POLICY;
}

/** Inside a transaction: sets the app's policy. Returns whether the row changed. */
export function writePolicy(meta: Meta, policy: TokenPolicy): boolean {
  const text = isSamePolicy(policy, STANDARD_POLICY) ? undefined : policyText(policy);
  if (text === meta.get("policy")) return false;
  if (text === undefined) meta.remove("policy");
  else meta.set("policy", text);
  return true;
}
