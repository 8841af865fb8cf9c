import { usageError } from "../core/errors.ts";
import { type KeyForm, type Secret, type Shape, STANDARD_SHAPE } from "../core/secret.ts";
import type { Algorithm } from "../jwt/policy.ts";
import type { Installation } from "../store/installation.ts";
import type { NewSecret } from "./backend.ts";

/** How a version is used, and the shape of the values that rekey makes for it. */
export interface Use extends Shape {
  readonly alg: Algorithm;
  readonly keyForm: KeyForm;
}

/** Sizes of the hashes, in bytes. */
const HASH_BYTES: Readonly<Record<Algorithm, number>> = { HS256: 32, HS384: 48, HS512: 64 };

/**
 * Use and shape of the next version: what is wanted, else as the current version has it. An imported value is used as it
 * is wanted; its shape is that of the value after it.
 *
 * @param before `undefined` for the first version.
 * @param imported a value that rekey does not make.
 * @throws {RekeyError} `usage` when the secret would be shorter than its algorithm needs.
 */
export function nextUse(
  before: Installation | undefined,
  wanted: NewSecret,
  imported?: Secret,
): Use {
  const use = inherited(before, wanted);
  if (imported !== undefined) return use;
  const least = HASH_BYTES[use.alg];
  if (use.bytes < least) {
    throw usageError(
      `Cannot make a secret of ${use.bytes} bytes for ${use.alg}: ` +
        `it needs at least ${least} (RFC 7518 §3.2)`,
      `Give --bytes ${least} or more, or another --alg`,
    );
  }
  return { ...use, keyForm: suited(use) };
}

function inherited(before: Installation | undefined, wanted: NewSecret): Use {
  const shape = before?.versions.current() ?? STANDARD_SHAPE;
  return {
    alg: wanted.alg ?? before?.algorithm ?? "HS512",
    keyForm: wanted.keyForm ?? before?.keyForm ?? "text",
    bytes: wanted.bytes ?? shape.bytes,
    encoding: wanted.encoding ?? shape.encoding,
  };
}

// Bytes as the key: which encoding they are written in decides how they are read.
function suited({ keyForm, encoding }: Use): KeyForm {
  if (keyForm === "text") return keyForm;
  return encoding === "hex" ? "hex" : "raw";
}
