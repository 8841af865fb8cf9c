import { type Algorithm, ALGORITHMS, isHmac } from "../../core/algorithms.ts";
import { RekeyError } from "../../core/errors.ts";
import { LOCATIONS } from "../../core/location.ts";
import { KEY_FORMS, SHAPE_ENCODINGS } from "../../core/secret.ts";
import type { Version } from "./versions.ts";

/** State of a version, in the order in which it passes through them. */
export const VERSION_STATES = ["pending", "current", "previous", "retired"] as const;

// SQLite checks types and constraints when a row is written, not when it is read. A column that the disk or another
// program has changed must not make a version quietly leave the keys that are published or that verify.
const COLUMNS: { readonly [Column in keyof Version]: (value: unknown) => boolean } = {
  version: isCount,
  kid: isKid,
  state: oneOf(VERSION_STATES),
  location: oneOf(LOCATIONS),
  origin: oneOf(["generated", "adopted"]),
  alg: oneOf(ALGORITHMS),
  key_form: oneOf(KEY_FORMS),
  token_kid: orNull(isText),
  published_at: orNull(isInteger),
  activatable_at: orNull(isInteger),
  bytes: isCount,
  encoding: oneOf(SHAPE_ENCODINGS),
  created_at: isInteger,
  activated_at: orNull(isInteger),
  retired_at: orNull(isInteger),
  grace_until: orNull(isInteger),
  reason: orNull(isText),
  request_id: orNull(isText),
  replaces: orNull(isInteger),
  synced: oneOf([0, 1]),
};

/**
 * A row of `rekey_versions`, if rekey can have written it.
 *
 * @throws {RekeyError} `database_damaged` for any other.
 */
export function soundVersion(row: Readonly<Record<string, unknown>>): Version {
  const column = damagedColumn(row);
  if (column === undefined) return row as unknown as Version;
  throw new RekeyError(
    "database_damaged",
    `Cannot use the database: ${column} of version ${Number(row.version)} is damaged`,
    { hint: "Restore the database from a backup" },
  );
}

function damagedColumn(row: Readonly<Record<string, unknown>>): string | undefined {
  const column = Object.entries(COLUMNS).find(([name, isSound]) => !isSound(row[name]))?.[0];
  if (column !== undefined) return column;
  // One of the two may be another one of its list.
  if (isHmac(row.alg as Algorithm) === (row.key_form === "pkcs8")) return "alg or key_form";
  // Without its end a grace window counts as over.
  return row.state === "previous" && row.grace_until === null ? "grace_until" : undefined;
}

function oneOf(values: readonly unknown[]): (value: unknown) => boolean {
  return (value) => values.includes(value);
}

function orNull(isSound: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === null || isSound(value);
}

// 16 characters of an HMAC secret, 43 of a key pair, its thumbprint (RFC 7638); both base64url.
function isKid(value: unknown): boolean {
  return typeof value === "string" && /^(?:[\w-]{16}|[\w-]{43})$/.test(value);
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isInteger(value: unknown): boolean {
  return Number.isSafeInteger(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
