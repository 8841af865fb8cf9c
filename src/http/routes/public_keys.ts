import { createHash } from "node:crypto";
import { andThen, type MaybeAsync } from "../../core/async.ts";
import type { PublicSet } from "../../secret/public_set.ts";
import type { Route } from "../route.ts";

const JWKS_PATH = "/.well-known/jwks.json";

// RFC 7517 §8.5.1.
const JWKS_TYPE = "application/jwk-set+json";

/** The public keys, for every verifier that can connect. */
export const jwks: Route = {
  method: "GET",
  path: JWKS_PATH,
  summary: "The public keys that verify the app's tokens (RFC 7517 §5)",
  answers: {
    200: { description: "The JWK Set", schema: "PublicKeySet", type: JWKS_TYPE },
    304: { description: "It is still the one of If-None-Match" },
  },
  anySite: true,
  handler: ({ request, publicKeys }) =>
    andThen(publicKeys(), ({ set, maxAge }) => cacheable(request, JWKS_TYPE, set.text, maxAge)),
};

/**
 * What a verifier learns from the issuer's name (OpenID Connect Discovery 1.0 §3). rekey has no endpoints for browsers to
 * log in at, so those are not in it.
 *
 * @param issuer a URL.
 */
export function discovery(issuer: string): Route {
  const about = ({ keys }: PublicSet) => ({
    issuer,
    jwks_uri: issuer.replace(/\/$/, "") + JWKS_PATH,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [...new Set(keys.map(({ alg }) => alg))],
  });
  return {
    method: "GET",
    path: "/.well-known/openid-configuration",
    summary: "Issuer, algorithms and where the public keys are (OpenID Connect Discovery 1.0 §3)",
    answers: {
      200: { description: "The metadata", schema: "Discovery" },
      304: { description: "They are still those of If-None-Match" },
    },
    anySite: true,
    handler: ({ request, publicKeys }): MaybeAsync<Response> =>
      andThen(
        publicKeys(),
        ({ set, maxAge }) =>
          cacheable(request, "application/json", JSON.stringify(about(set)), maxAge),
      ),
  };
}

/** An answer that verifiers keep, and ask about again by its strong entity tag (RFC 9110 §8.8.3). */
function cacheable(request: Request, type: string, text: string, maxAge: number): Response {
  const etag = `"${createHash("sha256").update(text).digest("base64url")}"`;
  const headers = {
    etag,
    // Compressing so little takes longer than everything else, and makes the tag weak.
    "cache-control": `public, max-age=${maxAge}, no-transform`,
    // Pages of any site may verify with public keys.
    "access-control-allow-origin": "*",
  };
  if (isKnown(request.headers.get("if-none-match"), etag)) {
    return new Response(null, { status: 304, headers });
  }
  return new Response(text, { headers: { ...headers, "content-type": type } });
}

// Compared weakly, as RFC 9110 §13.1.2 says: a proxy makes the tag weak when it compresses.
function isKnown(header: string | null, etag: string): boolean {
  const tags = (header ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes(etag) || tags.includes("*");
}
