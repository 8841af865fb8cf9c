import { createHash } from "node:crypto";
import { RekeyError } from "../core/errors.ts";
import type { KeyValue } from "../etcd/wire.ts";
import type { Meta } from "../store/sqlite/meta.ts";

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
export function positionAfter(found: readonly KeyValue[], from: Position) {
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
