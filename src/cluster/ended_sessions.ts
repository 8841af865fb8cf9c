import { createHash } from "node:crypto";
import { RekeyError } from "../core/errors.ts";
import { type KeyValue, put } from "../etcd/wire.ts";
import type { Meta } from "../store/sqlite/meta.ts";
import { type Session, takeEnded } from "../store/sqlite/ended_sessions.ts";
import type { Installation } from "../store/installation.ts";
import { keysOf } from "./snapshot.ts";

/**
 * The last ended session that this machine has read from etcd. An etcd that was restored from a backup may have passed
 * this revision with other sessions, but does not hold this one at it. Revisions alone do not show a restoration, nor
 * does the cluster id, which is derived from the configuration.
 */
export interface Position {
  readonly revision: number;
  /** The last part of its key. */
  readonly name: string;
  /** SHA-256 of its value, which has the time in it. */
  readonly digest: string;
}

/** Before all sessions. */
export const BEGINNING: Position = { revision: 0, name: "", digest: "" };

/** How many sessions are read at once: about a megabyte, well within etcd's limits. */
export const MOST_READ = 2_000;

// rekey's own keys; keys of other programs may have any bytes.
const NAME = /\/([\w-]{43})$/;

/** This machine's position; the beginning when the stored one cannot be read. */
export function positionIn(meta: Meta): Position {
  try {
    const { revision, name, digest } = JSON.parse(meta.get("fleet_ended") ?? "null") ?? BEGINNING;
    const sound = Number.isSafeInteger(revision) &&
      [name, digest].every((part) => typeof part === "string");
    return sound ? { revision, name, digest } : BEGINNING;
  } catch {
    return BEGINNING;
  }
}

function isSame(one: Position, other: Position): boolean {
  return one.revision === other.revision && one.digest === other.digest;
}

/** Inside a transaction: stores this machine's position. */
export function rememberPosition(meta: Meta, position: Position): void {
  meta.set("fleet_ended", JSON.stringify(position));
}

/** Whether etcd still holds the session of a position; false also when its lease has expired. */
export function stands({ revision, digest }: Position, found: KeyValue | undefined): boolean {
  return revision === 0 || (found?.modified === revision && digestOf(found) === digest);
}

/**
 * The position after a page of keys, and whether there may be more.
 *
 * @throws {RekeyError} `etcd_failed` when no key of a full page can be a position.
 */
function positionAfter(found: readonly KeyValue[], from: Position) {
  const more = found.length >= MOST_READ;
  const last = found.at(-1)!.modified;
  // The page may have cut off other keys of the last revision.
  const whole = found.filter(({ key, modified }) => NAME.test(key) && !(more && modified === last));
  const row = whole.at(-1);
  if (row === undefined && more) throw unreadable();
  const position = row === undefined
    ? from
    : { revision: row.modified, name: NAME.exec(row.key)![1]!, digest: digestOf(row) };
  return { position, more };
}

function digestOf({ value }: KeyValue): string {
  return createHash("sha256").update(value).digest("base64url");
}

function unreadable(): RekeyError {
  return new RekeyError(
    "etcd_failed",
    "Cannot read the ended sessions in etcd: rekey did not write the keys there",
    { hint: "See what `etcdctl get --prefix --keys-only` finds under …/state/revoked/" },
  );
}

// An etcd transaction has at most 128 operations.
const AT_ONCE = 100;

// A verifier with a leeway accepts a token for a while after it has expired.
const LEEWAY_S = 86_400;

/** Longest lease, for tokens that never expire: they end with their version. */
const LONGEST_S = 10 * 365 * 86_400;

/**
 * Writes sessions that were ended early to etcd, under a lease that expires after their tokens.
 *
 * @throws {RekeyError} an `etcd_…` code; a part of them may then be written.
 */
export async function shareEnded(
  installation: Installation,
  sessions: readonly Session[],
): Promise<void> {
  const store = await installation.shared();
  const { client } = store;
  const { revoked } = keysOf(store, installation.environment.app.name);
  const now = installation.now();
  for (let n = 0; n < sessions.length; n += AT_ONCE) {
    const some = sessions.slice(n, n + AT_ONCE);
    const last = Math.max(...some.map(({ expires_at }) => expires_at));
    const seconds = Math.max(0, Math.ceil((last - now) / 1000)) + LEEWAY_S;
    const lease = await client.grant(Math.min(seconds, LONGEST_S));
    await client.txn(
      [],
      some.map((session) => put(revoked + nameOf(session.jti), JSON.stringify(session), lease)),
    );
  }
}

// Hashed, since the jti of another program's token can be any text.
function nameOf(jti: string): string {
  return createHash("sha256").update(jti).digest("base64url");
}

/**
 * Ends the sessions here that other machines have ended.
 *
 * @param found keys after the position `from`.
 * @returns where to continue reading, if there may be more.
 * @throws {RekeyError} `etcd_failed` when no valid position is among a full page of keys.
 */
export function takeOverEnded(
  installation: Installation,
  from: Position,
  found: readonly KeyValue[],
): Position | undefined {
  if (found.length === 0) return undefined;
  const { database, versions, meta } = installation;
  const { position, more } = positionAfter(found, from);
  const sessions = found.map(({ value }) => readSession(value)).filter((one) => one !== undefined);
  database.transaction(() => {
    for (const session of sessions) {
      if (versions.byNumber(session.version) !== undefined) takeEnded(database, session);
    }
    // The sessions before it are here only if this is still the database that was at `from`: it may have been destroyed or
    // restored since.
    if (isSame(positionIn(meta), from)) rememberPosition(meta, position);
  });
  return more ? position : undefined;
}

function readSession(text: string): Session | undefined {
  try {
    const session = JSON.parse(text) as Session;
    const { jti, version, sub, issued_at, expires_at, revoked_at } = session;
    const sound = [jti, sub].every((part) => typeof part === "string") &&
      [version, issued_at, expires_at, revoked_at].every(Number.isSafeInteger);
    return sound ? { jti, version, sub, issued_at, expires_at, revoked_at } : undefined;
  } catch {
    return undefined;
  }
}
