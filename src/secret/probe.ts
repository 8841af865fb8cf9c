import { RekeyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import type { Version } from "../store/sqlite/versions.ts";

/**
 * Signs a token with a new value and verifies it, before anything depends on the value.
 *
 * @throws {RekeyError} `failed` when the token does not verify.
 */
export async function probe(
  secret: Secret,
  { alg, key_form }: Pick<Version, "alg" | "key_form">,
): Promise<void> {
  const { jwtVerify, SignJWT } = await import("../libraries/jose.ts");
  const key = secret.hmacKey(key_form);
  try {
    const token = await new SignJWT().setProtectedHeader({ alg }).setSubject("probe").sign(key);
    await jwtVerify(token, key, { algorithms: [alg], subject: "probe" });
  } catch (cause) {
    throw unusable("a token signed with it does not verify", cause);
  } finally {
    key.fill(0);
  }
}

/** A new value that cannot be used. */
export function unusable(why: string, cause?: unknown): RekeyError {
  return new RekeyError("failed", `Cannot use the new JWT secret: ${why}`, {
    hint: "The old secret is still current; run `rekey status` and try again",
    cause,
  });
}
