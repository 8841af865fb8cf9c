import { Hmac } from "../core/hmac.ts";
import type { AuditColumns } from "./events.ts";
import type { Gap } from "./gaps.ts";

const UNPADDED = { alphabet: "base64url", omitPadding: true } as const;

/**
 * HMAC-SHA-256 with a log's key, in base64url. The key makes write access to the file insufficient to forge a row, a gap
 * or a tree. The JSON arrays make the bytes of different rows differ, and by their lengths those of different things.
 */
export class ChainHashes {
  readonly #hmac: Hmac;

  /** @param key the audit key. */
  constructor(key: Uint8Array) {
    this.#hmac = new Hmac("HS256", key);
  }

  /** The hash of a row: over the previous hash and all columns but its own. */
  row(previous: string, row: AuditColumns): string {
    const [seq, time, event, version, kid, location, duration, actor, reason] = row;
    return this.#of([previous, seq, time, event, version, kid, location, duration, actor, reason]);
  }

  /** The seal of a gap. @param previous the hash before its first row. */
  gap(previous: string, { first, last, hash, tree }: Omit<Gap, "seal">): string {
    return this.#of(["rekey log gap v1", previous, first, last, hash, tree]);
  }

  /** The seal of a tree's state, and of the hash of its last row. */
  tree(state: string, hash: string): string {
    return this.#of(["rekey log tree v1", state, hash]);
  }

  /** The seal of a machine's retention. */
  retention(text: string): string {
    return this.#of(["rekey audit retention v1", text]);
  }

  #of(parts: readonly (string | number | null)[]): string {
    return this.#hmac.of(JSON.stringify(parts)).toBase64(UNPADDED);
  }
}
