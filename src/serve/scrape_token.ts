import { createHash, timingSafeEqual } from "node:crypto";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { readFileIfThere } from "../files/files.ts";
import { exposureOf } from "../files/private_files.ts";
import { SYSTEM } from "../system/system.ts";

// What a bearer token may consist of (RFC 6750 §2.1). 32 characters of base64 are 24 random bytes.
const TOKEN = /^(?=.{32,512}$)[\w.~+/-]+=*$/;

/** The token of a monitoring system: one that is no session and that a rotation does not end. */
export class ScrapeToken {
  #warned: string | undefined;

  /**
   * @param path of its file, read for each request that is compared: a replaced token counts at once.
   * @param warn gets why the file cannot be used, once for each reason.
   */
  constructor(private readonly path: string, private readonly warn: (why: string) => void) {}

  /** Whether a bearer token is the one in the file. The comparison takes equally long for all. */
  is(token: string): boolean {
    try {
      const expected = digestIn(this.path);
      this.#warned = undefined;
      return timingSafeEqual(expected, digest(token));
    } catch (error) {
      if (!isRekeyError(error)) throw error;
      if (this.#warned !== error.message) this.warn(error.message);
      this.#warned = error.message;
      return false;
    }
  }
}

/**
 * Checks the file of a scrape token before the server starts.
 *
 * @throws {RekeyError} `usage` when it is not there, others can read it or it holds no token; `database_unusable` when it
 * cannot be read.
 */
export function checkScrapeToken(path: string): void {
  digestIn(path);
}

function digestIn(path: string): Uint8Array {
  const bytes = readFileIfThere(path);
  if (bytes === undefined) {
    throw new RekeyError("usage", `Cannot use ${path}: it does not exist`, { hint: HINT });
  }
  const text = new TextDecoder().decode(bytes).trim();
  bytes.fill(0);
  if (!TOKEN.test(text)) {
    const why = "it does not hold one token of 32 to 512 characters of base64";
    throw new RekeyError("usage", `Cannot use ${path}: ${why}`, { hint: HINT });
  }
  refuseExposed(path);
  return digest(text);
}

function refuseExposed(path: string): void {
  const exposure = exposureOf(path);
  if (exposure === undefined || exposure.isReadOnly) return;
  throw new RekeyError("usage", `Cannot use ${path}: other users can read it (${exposure.shown})`, {
    hint: `Run \`${exposure.fix}\`; if someone else may have read the file, make a new token`,
  });
}

const HINT = `Make one: \`${SYSTEM.advice.makeKey}\``;

function digest(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
