// The least that answering for a token of a key pair takes on the runtime's server when every token is another one: PORT,
// and the public key (SPKI in base64). The signature is verified as rekey does it, with the system's OpenSSL; the header
// and the claims are not read.
import { PAIR_SCHEMES } from "../../../src/core/algorithms.ts";
import { openSsl } from "../../../src/system/linux/openssl.ts";

const [port, spki] = Deno.args as [string, string];
const isSigned = openSsl()!(Uint8Array.fromBase64(spki), PAIR_SCHEMES.ES256)!;
const text = new TextEncoder();
Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, ({ headers }) => {
  const token = (headers.get("authorization") ?? "").slice("Bearer ".length);
  const end = Math.max(token.lastIndexOf("."), 0);
  const signature = Uint8Array.fromBase64(token.slice(end + 1), { alphabet: "base64url" });
  const isRight = signature.length === 64 && isSigned(text.encode(token.slice(0, end)), signature);
  return new Response(null, { status: isRight ? 204 : 401 });
});
