import { Buffer } from "node:buffer";
import { createHash, createHmac, createPrivateKey, createPublicKey } from "node:crypto";

/** The kid of a stored value, computed without rekey's code: of a key pair by RFC 7638 §3. */
export function kidOfValue(value: string): string {
  if (!value.startsWith("pkcs8:")) {
    return createHmac("sha256", value).update("rekey kid v1").digest("base64url").slice(0, 16);
  }
  const key = Buffer.from(value.slice("pkcs8:".length), "base64");
  const pair = createPrivateKey({ key, format: "der", type: "pkcs8" });
  const { crv, e, kty, n, x, y } = createPublicKey(
    pair.export({ type: "pkcs8", format: "pem" }) as string,
  ).export({ format: "jwk" });
  // Its members in lexicographic order; those that a kind lacks are left out.
  return createHash("sha256").update(JSON.stringify({ crv, e, kty, n, x, y })).digest("base64url");
}
