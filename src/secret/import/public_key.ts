import { unreadable } from "./imported.ts";
import { jsonOf } from "./json_text.ts";
import { recognisedPublic } from "./not_a_secret.ts";
import { type GivenJwk, isJwk, isPublicJwk } from "./private_jwk.ts";

/**
 * Refuses a text that has only public keys: a token cannot prove it, since whoever has the public key can make one.
 *
 * @throws {RekeyError} `usage`.
 */
export function refusePublic(text: string): void {
  // Without what UTF-16 has between the letters.
  const plain = text.replaceAll("\0", "");
  const error = recognisedPublic(plain);
  if (error !== undefined) throw error;
  const jwks = [...jwksIn(jsonOf(plain))];
  if (jwks.length === 0 || !jwks.every(isPublicJwk)) return;
  throw unreadable(
    "it is JSON whose keys are public",
    "A public key signs nothing: import the private JWK, which has a member d; " +
      "if the application does use the text as it is, --literal imports it",
  );
}

/** Every JWK in a JSON value, however deep, and in JSON that is a text in it. */
function* jwksIn(json: unknown): Generator<GivenJwk> {
  // Not by recursion, which a text of many brackets would bring to the end of the stack.
  const left = [json];
  while (left.length > 0) {
    const value = left.pop();
    const found = typeof value === "string" ? jsonOf(value) : value;
    if (typeof found !== "object" || found === null) continue;
    if (isJwk(found)) yield found;
    for (const part of Object.values(found)) left.push(part);
  }
}
