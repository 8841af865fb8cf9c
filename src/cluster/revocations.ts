import { createHash } from "node:crypto";
import { type KeyValue, put } from "../etcd/wire.ts";
import { type Session, takeEnded } from "../store/sqlite/ended_sessions.ts";
import type { Installation } from "../store/installation.ts";
import { type Position, positionAfter, rememberPosition } from "./position.ts";
import { keysOf } from "./snapshot.ts";

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
