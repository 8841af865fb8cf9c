// The least that answering for a token of a secret takes on the runtime's server when every token is another one: PORT,
// and the secret. The signature is verified as rekey does it, and the answer tells the claims. Nothing else is looked at:
// not the header, no time, no session, not whether the secret still counts.
import { timingSafeEqual } from "node:crypto";
import { decodeInto } from "../../../src/core/encoding.ts";
import { Hmac } from "../../../src/core/hmac.ts";

const [port, secret] = Deno.args as [string, string];
const hmac = new Hmac("HS512", new TextEncoder().encode(secret));
const [given, memory, text] = [new Uint8Array(65), new Uint8Array(4_096), new TextDecoder()];

Deno.serve({ hostname: "127.0.0.1", port: Number(port), onListen: () => {} }, ({ headers }) => {
  const token = (headers.get("authorization") ?? "").slice("Bearer ".length);
  const end = Math.max(token.lastIndexOf("."), 0);
  const expected = hmac.of(token.slice(0, end));
  const signature = decodeInto(given, token.slice(end + 1));
  const isRight = signature?.length === expected.length && timingSafeEqual(signature, expected);
  return isRight ? accepted(token.slice(token.indexOf(".") + 1, end)) : refused();
});

function accepted(encoded: string): Response {
  const { sub } = JSON.parse(text.decode(decodeInto(memory, encoded)));
  const headers = { "x-auth-subject": sub, "x-auth-claims": encoded, "cache-control": "no-store" };
  return new Response(null, { status: 204, headers });
}

function refused(): Response {
  return new Response(null, { status: 401 });
}
