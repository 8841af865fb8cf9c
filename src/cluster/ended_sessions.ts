import { createHash } from "node:crypto";
import { RekeyError } from "../core/errors.ts";
import { type KeyValue, put } from "../etcd/wire.ts";
import type { Meta } from "../store/sqlite/meta.ts";
import { type Session, takeEnded } from "../store/sqlite/ended_sessions.ts";
import type { Installation } from "../store/installation.ts";
import { keysOf } from "./snapshot.ts";

/**
 * Up to where ended sessions were taken over: the last one, as it stands in etcd. An etcd that was put back may have
 * gone beyond its revision since, with other sessions, but does not hold this one so: revisions alone do not tell, and
 * neither does the cluster's name, which a restoration makes of the same configuration again.
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

/** How many sessions are read at once: a megabyte, which a member answers well within its time. */
export const MOST_READ = 2_000;

// As rekey names them; any other one may be of any bytes.
const NAME = /\/([\w-]{43})$/;

/** Where this machine is. What cannot be read is read from the beginning. */
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

/** Inside a transaction: remembers where this machine is. */
export function rememberPosition(meta: Meta, position: Position): void {
  meta.set("fleet_ended", JSON.stringify(position));
}

/** Whether etcd goes on from a position. When its session is forgotten there, that cannot be told. */
export function stands({ revision, digest }: Position, found: KeyValue | undefined): boolean {
  return revision === 0 || (found?.modified === revision && digestOf(found) === digest);
}

/**
 * The position after the sessions that were found, and whether there may be more.
 *
 * @throws {RekeyError} `etcd_failed` when nothing that is there can be a position.
 */
function positionAfter(found: readonly KeyValue[], from: Position) {
  const more = found.length >= MOST_READ;
  const last = found.at(-1)!.modified;
  // Others of the last revision may be missing.
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
    "Cannot read the ended sessions in etcd: no rekey has written what is among them",
    { hint: "See what `etcdctl get --prefix --keys-only` finds under …/state/revoked/" },
  );
}

// etcd takes 128 parts in a transaction.
const AT_ONCE = 100;

// A verifier with a leeway may accept a token for a while after its time.
const AFTERWARDS_S = 86_400;

/** Tokens that never expire are forgotten with their version; a lease cannot last for ever. */
const LONGEST_S = 10 * 365 * 86_400;

/**
 * Tells the fleet of sessions that were ended before their time. They are forgotten by themselves once they would have
 * ended anyway.
 *
 * @throws {RekeyError} an `etcd_…` code; some may then have been told of.
 */
export async function shareEnded(
  installation: Installation,
  sessions: readonly Session[],
): Promise<void> {
  const { client } = installation.shared();
  const { revoked } = keysOf(installation.shared(), installation.environment.app.name);
  const now = installation.now();
  for (let n = 0; n < sessions.length; n += AT_ONCE) {
    const some = sessions.slice(n, n + AT_ONCE);
    const last = Math.max(...some.map(({ expires_at }) => expires_at));
    const seconds = Math.max(0, Math.ceil((last - now) / 1000)) + AFTERWARDS_S;
    const lease = await client.grant(Math.min(seconds, LONGEST_S));
    await client.txn(
      [],
      some.map((session) => put(revoked + nameOf(session.jti), JSON.stringify(session), lease)),
    );
  }
}

// Another program's token can have any text for its jti.
function nameOf(jti: string): string {
  return createHash("sha256").update(jti).digest("base64url");
}

/**
 * Takes over sessions that other machines have ended, as they were found after a position.
 *
 * @returns from where to read on, if not all were found.
 * @throws {RekeyError} `etcd_failed` when what is there cannot be read to its end.
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
    rememberPosition(meta, position);
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
