import { RekeyError } from "../core/errors.ts";
import type { Meta } from "./sqlite/meta.ts";

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
  const text = meta.get("fleet");
  if (text === undefined) return undefined;
  try {
    const known = JSON.parse(text) as KnownFleet;
    if (typeof known.id === "string" && Number.isSafeInteger(known.change)) return known;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new RekeyError("database_damaged", "Cannot use the database: its fleet row is damaged", {
    hint: "Run `rekey destroy` and `rekey init --store etcd` to copy the secret from etcd again",
  });
}

/** Inside a transaction: records the change that was applied. */
export function rememberFleet(
  meta: Meta,
  { state: { id, change }, digest }: { state: Omit<KnownFleet, "digest">; digest: string },
): void {
  meta.set("fleet", JSON.stringify({ id, change, digest } satisfies KnownFleet));
}
