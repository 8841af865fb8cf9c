import * as z from "zod";
import { ALGORITHMS, PAIR_ALGORITHMS } from "../core/algorithms.ts";
import { ERROR_TABLE, TOKEN_FAULTS } from "../core/errors.ts";
import { HTTP_CODES } from "./problem.ts";
import { FIELDS } from "./schema_fields.ts";
import { KEY_FORMS } from "../core/secret.ts";
import { LONGEST_REASON, LONGEST_REQUEST_ID } from "../core/limits.ts";

// Bodies and queries of all routes. Input is checked with these, and the OpenAPI document contains them.

export * from "./state_schemas.ts";

const { text, instant, version, kid } = FIELDS;

const claims = () =>
  z.record(z.string(), z.unknown()).meta({ description: "claims of the token, RFC 7519 §4" });

/** A duration as on the command line. */
const duration = (description: string) =>
  z.string().max(32).regex(/^[0-9a-z]+$/).meta({ description, examples: ["15m"] });

/** RFC 9457, with rekey's own code and hint. */
export const Problem = z.strictObject({
  type: z.literal("about:blank"),
  title: z.string(),
  status: z.int().min(400).max(599),
  detail: z.string(),
  code: z.enum([...Object.keys(ERROR_TABLE), ...HTTP_CODES] as [string, ...string[]]),
  hint: z.string().nullable(),
}).meta({ id: "Problem", description: "Problem details, RFC 9457" });

const scope = () => text().min(1).meta({ description: "all that are required, RFC 6749 §3.3" });

export const AuthQuery = z.strictObject({
  scope: scope().optional(),
  aud: text().min(1).optional(),
  iss: text().min(1).optional(),
}).meta({ id: "AuthQuery", description: "Further requirements for the token" });

export const VerifyRequest = z.strictObject({
  token: z.string().meta({ description: "compact JWS, RFC 7515 §7.1" }),
  iss: text().optional(),
  aud: text().optional(),
  sub: text().optional(),
  alg: z.enum(ALGORITHMS).optional(),
  leeway: z.number().min(0).max(86_400).optional().meta({ description: "seconds" }),
  max_age: z.number().min(0).max(1e10).optional().meta({ description: "seconds" }),
  allow_no_exp: z.boolean().optional(),
  scope: scope().optional(),
  typ: text().optional(),
}).meta({ id: "VerifyRequest" });

export const Accepted = z.strictObject({
  valid: z.literal(true),
  version: version(),
  kid: kid(),
  claims: claims(),
}).meta({ id: "Accepted" });

export const Refused = z.strictObject({
  valid: z.literal(false),
  code: z.enum(TOKEN_FAULTS),
  message: z.string(),
  failures: z.array(z.strictObject({
    claim: z.string(),
    code: z.string(),
    reason: z.string(),
  })).optional(),
}).meta({ id: "Refused" });

export const Verdict = z.union([Accepted, Refused]).meta({ id: "Verdict" });

export const IntrospectRequest = z.object({
  token: z.string(),
  token_type_hint: text().optional(),
  scope: scope().optional(),
  aud: text().min(1).optional(),
  iss: text().min(1).optional(),
}).meta({
  id: "IntrospectRequest",
  description: "RFC 7662 §2.1. A token that is not for the scope, aud or iss is not active; " +
    "other parameters are ignored",
});

export const Introspection = z.union([
  z.strictObject({ active: z.literal(false) }),
  z.looseObject({ active: z.literal(true), token_type: z.literal("Bearer") }),
]).meta({ id: "Introspection", description: "RFC 7662 §2.2" });

export const LoginRequest = z.strictObject({
  name: text(),
  // More UTF-16 units than the longest password has, whose limit is in characters.
  password: z.string().max(4_096),
}).meta({ id: "LoginRequest" });

export const LoginAnswer = z.strictObject({
  token: z.string(),
  token_type: z.literal("Bearer"),
  jti: z.string(),
  expires_at: instant(),
}).meta({ id: "LoginAnswer" });

export const SessionAnswer = z.strictObject({
  sub: z.string().nullable(),
  jti: z.string().nullable(),
  scope: z.string().nullable(),
  version: version(),
  kid: kid(),
  issued_at: instant().nullable(),
  expires_at: instant().nullable(),
}).meta({ id: "SessionAnswer" });

export const RotateRequest = z.strictObject({
  reason: z.string().max(LONGEST_REASON).optional(),
  grace: duration("how long tokens of the old secret still verify").optional(),
  if_older_than: duration("do nothing when the secret is younger").optional(),
  request_id: z.string().min(1).max(LONGEST_REQUEST_ID).optional(),
}).meta({ id: "RotateRequest" });

export const RotateAnswer = z.strictObject({
  app: z.string(),
  version: version(),
  kid: kid(),
  location: z.string(),
  created_at: instant(),
  alg: z.enum(ALGORITHMS),
  key_form: z.enum(KEY_FORMS),
  previous_version: version().nullable(),
  previous_kid: kid().nullable(),
  grace_until: instant().nullable(),
  reason: z.string().nullable(),
  rotated: z.boolean(),
}).meta({ id: "RotateAnswer" });

const publicMember = () => z.string().optional();

export const PublicKeySet = z.strictObject({
  keys: z.array(z.strictObject({
    kty: z.enum(["EC", "OKP", "RSA"]),
    kid: kid(),
    use: z.literal("sig"),
    alg: z.enum(PAIR_ALGORITHMS),
    crv: publicMember(),
    x: publicMember(),
    y: publicMember(),
    n: publicMember(),
    e: publicMember(),
  })).meta({ description: "the newest first" }),
}).meta({ id: "PublicKeySet", description: "A JWK Set of public keys, RFC 7517 §5" });

export const Discovery = z.strictObject({
  issuer: z.string(),
  jwks_uri: z.string(),
  response_types_supported: z.array(z.string()),
  subject_types_supported: z.array(z.string()),
  id_token_signing_alg_values_supported: z.array(z.string()),
}).meta({ id: "Discovery", description: "OpenID Connect Discovery 1.0 §3" });

export const Health = z.strictObject({ status: z.literal("ok") }).meta({ id: "Health" });

export const Description = z.looseObject({ openapi: z.string() }).meta({
  id: "Description",
  description: "An OpenAPI document",
});
