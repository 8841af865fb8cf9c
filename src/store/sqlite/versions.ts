import type { SqlValue } from "../../core/sql.ts";
import { RekeyError } from "../../core/errors.ts";
import type { Location } from "../../core/location.ts";
import type { KeyForm, Shape, ShapeEncoding } from "../../core/secret.ts";
import type { Algorithm } from "../../core/algorithms.ts";
import type { Database } from "./database.ts";
import { soundVersion, type VERSION_STATES } from "./sound_version.ts";

type VersionState = (typeof VERSION_STATES)[number];

/** A row of `rekey_versions`. Times are milliseconds since the epoch. */
export interface Version {
  readonly version: number;
  readonly kid: string;
  readonly state: VersionState;
  readonly location: Location;
  /** Whether rekey generated the value, or adopted or imported it from an application. */
  readonly origin: "generated" | "adopted";
  /** The only algorithm of its tokens. */
  readonly alg: Algorithm;
  /** How its value becomes the key. */
  readonly key_form: KeyForm;
  /** kid of its tokens, if that is another one: of a key pair that had it before it was imported. */
  readonly token_kid: string | null;
  /** Since when verifiers can get the key of a prepared version; `null` unless it was prepared. */
  readonly published_at: number | null;
  /** From when on every cache of the public set has a prepared key pair; `null` for an HMAC version. */
  readonly activatable_at: number | null;
  /** Size of the value that a rotation makes next, in bytes, of RSA its modulus; of a generated value, its own. */
  readonly bytes: number;
  /** How that value is written; of a generated value, its own encoding. */
  readonly encoding: ShapeEncoding;
  readonly created_at: number;
  readonly activated_at: number | null;
  readonly retired_at: number | null;
  /** End of the grace window of a previous version. */
  readonly grace_until: number | null;
  readonly reason: string | null;
  /** The caller's id of the rotation that made it. */
  readonly request_id: string | null;
  /** The version that was current before it. */
  readonly replaces: number | null;
  /** 0 while the keyring may hold items that do not fit the state. */
  readonly synced: 0 | 1;
}

/** Whether a version was prepared on purpose: no recovery undoes it. */
export function isPrepared(
  { state, published_at }: Pick<Version, "state" | "published_at">,
): boolean {
  return state === "pending" && published_at !== null;
}

/** Whether a version's value is kept under its number: it verifies in a grace window, or is prepared. */
export function isNumbered(row: Pick<Version, "state" | "published_at">): boolean {
  return row.state === "previous" || isPrepared(row);
}

/** The columns of a new version. */
type NewVersion =
  & Pick<Version, "kid" | "location" | "origin" | "alg" | "key_form" | "created_at" | "reason">
  & Shape
  & Partial<Pick<Version, "request_id" | "replaces" | "token_kid" | "published_at">>;

/** The rows of `rekey_versions`. Methods that change rows belong inside a transaction. */
export class Versions {
  constructor(private readonly database: Database) {}

  current(): Version | undefined {
    return this.#inState("current")[0];
  }

  /** The next version: of a rotation that is under way or was interrupted, else the prepared one. */
  pending(): Version | undefined {
    return this.begun() ?? this.prepared();
  }

  /** The version of a rotation that has not reached its commit. */
  begun(): Version | undefined {
    return this.#inState("pending").find((row) => !isPrepared(row));
  }

  /** The version that was prepared to become the current one later. */
  prepared(): Version | undefined {
    return this.#inState("pending").find(isPrepared);
  }

  byKid(kid: string): Version | undefined {
    return this.#one("kid = ?", kid);
  }

  /** The version whose tokens have a kid: its own, or the one that it had before it was imported. */
  byTokenKid(kid: string): Version | undefined {
    return this.#one("kid = ?", kid) ?? this.#one("token_kid = ?", kid);
  }

  byNumber(version: number): Version | undefined {
    return this.#one("version = ?", version);
  }

  /** The version that the rotation with this request id made. */
  byRequest(id: string): Version | undefined {
    return this.#one("request_id = ? AND activated_at IS NOT NULL", id);
  }

  /** Versions in or just past their grace window, newest first. */
  previous(): Version[] {
    return this.#inState("previous");
  }

  /** Versions whose values are kept, newest first: the current one, those in or just past their grace window, the prepared one. */
  held(): Version[] {
    return this.every().filter((row) => row.state === "current" || isNumbered(row));
  }

  /** The newest versions that replaced another one, newest first. */
  rotatedIn(limit: number): Version[] {
    const rows = this.database.prepare(
      `SELECT * FROM rekey_versions WHERE activated_at IS NOT NULL AND replaces IS NOT NULL
       ORDER BY version DESC LIMIT ?`,
    ).all(limit);
    return rows.map(soundVersion);
  }

  /** All versions, newest first. */
  every(): Version[] {
    return this.#all("true");
  }

  /** Versions whose keyring items may not fit their state, newest first. */
  unsynced(): Version[] {
    return this.#all("synced = 0");
  }

  /**
   * Adds a pending version under the next number, and returns it. An imported value whose earlier version never became
   * current keeps that version's number.
   */
  addPending(added: NewVersion): Version {
    const { kid, location, origin, alg, key_form, bytes, encoding, created_at, reason } = added;
    const { request_id = null, replaces = null, token_kid = null, published_at = null } = added;
    const synced = location === "keyring" ? 0 : 1;
    const more = [reason, request_id, replaces, token_kid, published_at, synced];
    const row = this.database.prepare(
      `INSERT INTO rekey_versions (version, kid, state, location, origin, alg, key_form, bytes,
                                   encoding, created_at, reason, request_id, replaces, token_kid,
                                   published_at, synced)
       VALUES ((SELECT coalesce(max(version), 0) + 1 FROM rekey_versions), ?, 'pending', ?, ?, ?, ?, ?,
               ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (kid) DO UPDATE
         SET state = 'pending', location = excluded.location, alg = excluded.alg,
             key_form = excluded.key_form, bytes = excluded.bytes, encoding = excluded.encoding, created_at = excluded.created_at, reason = excluded.reason, request_id = excluded.request_id, retired_at = NULL,
             token_kid = excluded.token_kid, published_at = excluded.published_at, activatable_at = NULL,
             synced = min(synced, excluded.synced)
         WHERE state = 'retired' AND activated_at IS NULL
       RETURNING *`,
    ).get(...[kid, location, origin, alg, key_form, bytes, encoding, created_at], ...more);
    if (row === undefined) throw new Error("A kid is to be used twice");
    return soundVersion(row);
  }

  /** A pending version is prepared: from now on verifiers get it. Times are milliseconds since the epoch. */
  prepare({ version }: Version, now: number, activatableAt: number | null): void {
    this.database.prepare(
      "UPDATE rekey_versions SET published_at = ?, activatable_at = ? WHERE version = ?",
    ).run(now, activatableAt, version);
  }

  activate({ version }: Version, now: number): void {
    // A prepared one is under its number in the keyring until the entry that programs read has it.
    this.database.prepare(
      `UPDATE rekey_versions
       SET state = 'current', activated_at = ?, synced = location <> 'keyring' WHERE version = ?`,
    ).run(now, version);
  }

  /** The version still verifies until `graceUntil`. */
  supersede({ version }: Version, graceUntil: number): void {
    this.database.prepare(
      `UPDATE rekey_versions SET state = 'previous', grace_until = ?, synced = location <> 'keyring'
       WHERE version = ?`,
    ).run(graceUntil, version);
  }

  /** The version never verifies again, and its keyring items are to be deleted. An uncommitted request may be repeated. */
  retire({ version }: Version, now: number): void {
    this.database.prepare(
      `UPDATE rekey_versions
       SET state = 'retired', retired_at = ?, grace_until = NULL, synced = location <> 'keyring',
           request_id = CASE WHEN activated_at IS NULL THEN NULL ELSE request_id END
       WHERE version = ?`,
    ).run(now, version);
  }

  /**
   * Updates a row from the shared state. Apply the row that stops being current before the one that becomes current.
   *
   * @returns false when another kid has the number.
   */
  follow(row: Version): boolean {
    // This machine may have used the request id for a rotation of its own.
    this.database.prepare(
      "UPDATE rekey_versions SET request_id = NULL WHERE request_id = ? AND version <> ?",
    ).run(row.request_id, row.version);
    const { version, kid, state, location, origin, alg, key_form, bytes, encoding } = row;
    const { created_at, activated_at } = row;
    const { retired_at, grace_until, reason, request_id, replaces } = row;
    const { token_kid, published_at, activatable_at } = row;
    const keys = { alg, key_form, bytes, encoding, token_kid, published_at, activatable_at };
    const who = { version, kid, state, location, origin, ...keys };
    const more = { retired_at, grace_until, reason, request_id, replaces, synced: 1 };
    const all = { ...who, created_at, activated_at, ...more };
    const names = Object.keys(all);
    const updates = names.filter((name) => name !== "version" && name !== "synced")
      .map((name) => `${name} = excluded.${name}`);
    return this.database.prepare(
      `INSERT INTO rekey_versions (${names}) VALUES (${names.map(() => "?")})
       ON CONFLICT (version) DO UPDATE SET ${updates}
         WHERE kid = excluded.kid OR (rekey_versions.state = 'retired' AND activated_at IS NULL)`,
    ).run(...Object.values(all)) > 0;
  }

  /** Sets how a version's value is used. */
  settle({ version }: Version, alg: Algorithm, keyForm: KeyForm): void {
    this.database.prepare("UPDATE rekey_versions SET alg = ?, key_form = ? WHERE version = ?")
      .run(alg, keyForm, version);
  }

  /** Versions in a location that are not retired, newest first. */
  valued(location: Location): Version[] {
    return this.#all(`state <> 'retired' AND location = '${location}'`);
  }

  /** Inserts a row of another copy of this database. */
  take(row: Version): void {
    const names = Object.keys(row);
    this.database.prepare(
      `INSERT INTO rekey_versions (${names}) VALUES (${names.map(() => "?")})`,
    ).run(...Object.values(row));
  }

  /** Records that the version's value has moved. */
  relocate({ version, location: old, synced }: Version, location: Location): void {
    const inKeyring = [old, location].includes("keyring");
    this.database.prepare("UPDATE rekey_versions SET location = ?, synced = ? WHERE version = ?")
      .run(location, inKeyring ? 0 : synced, version);
  }

  /** The keyring may hold items of the version that do not fit its state. */
  markUnsynced({ version }: Version): void {
    this.database.prepare("UPDATE rekey_versions SET synced = 0 WHERE version = ?").run(version);
  }

  markSynced({ version }: Version): void {
    this.database.prepare("UPDATE rekey_versions SET synced = 1 WHERE version = ?").run(version);
  }

  // SQLite trusts an index about a row's state. A damaged index may list the current version as previous, and its grace
  // window's end would destroy it. So the rows are read too, in one statement, since a rotation may run between two.
  #inState(state: VersionState): Version[] {
    const rows = this.database.prepare(
      `SELECT row.* FROM rekey_versions AS found LEFT JOIN rekey_versions AS row USING (version)
       WHERE found.state = '${state}' ORDER BY version DESC`,
    ).all();
    if (rows.every((row) => row.state === state)) return rows.map(soundVersion);
    throw new RekeyError("database_damaged", "Cannot use the database: its indexes are damaged", {
      hint: "Restore the database from a backup",
    });
  }

  #one(where: string, ...values: SqlValue[]): Version | undefined {
    const row = this.database.prepare(`SELECT * FROM rekey_versions WHERE ${where}`).get(...values);
    return row && soundVersion(row);
  }

  #all(where: string): Version[] {
    const rows = this.database.prepare(
      `SELECT * FROM rekey_versions WHERE ${where} ORDER BY version DESC`,
    ).all();
    return rows.map(soundVersion);
  }
}
