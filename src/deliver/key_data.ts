import { Buffer } from "node:buffer";
import type { Algorithm } from "../core/algorithms.ts";
import { rfc3339 } from "../core/clock.ts";
import { RekeyError } from "../core/errors.ts";
import type { KeyPair } from "../core/key_pair.ts";
import { type Jwk, signatureJwk } from "../jwt/jwk.ts";
import type { DeliveredKey, Role } from "./key_set.ts";

/** A key in every encoding. It may hold the value: for files of programs only. */
export interface KeyData {
  /** The kid that its tokens carry. */
  readonly kid: string;
  readonly alg: Algorithm;
  /** Whether it is an HMAC secret; else it is of a key pair. */
  readonly hmac: boolean;
  readonly pair: boolean;
  /** Of a key pair: its kty. */
  readonly ec: boolean;
  readonly okp: boolean;
  readonly rsa: boolean;
  /** RFC 3339, UTC; `null` while no end is set. */
  readonly expires_at: string | null;
  /**
   * A JWK (RFC 7517) of kty oct (RFC 7518 §6.4), or of a key pair (RFC 7518 §6, RFC 8037 §2): the public half for a
   * verifier, the private key for a signer.
   */
  readonly jwk: Jwk;
  /** The JWK on one line. */
  readonly jwk_json: string;
  /** Of an HMAC secret, the characters whose UTF-8 is the key; absent when the key is other bytes. */
  readonly text?: string;
  /** Of an HMAC secret, the key's bytes in standard base64 with padding. */
  readonly base64?: string;
  /** The same without padding, in the alphabet of RFC 4648 §5. */
  readonly base64url?: string;
  readonly hex?: string;
  /** Of a key pair: SubjectPublicKeyInfo for a verifier, PKCS#8 for a signer, as PEM (RFC 7468) without a last line end. */
  readonly pem?: string;
  /** Of a key pair: the public half's SubjectPublicKeyInfo (RFC 5280 §4.1) in standard base64, for every role. */
  readonly spki?: string;
}

/** Parts of a JWK that templates may use. The private ones are in `jwk_json` and `pem` only. */
export const JWK_MEMBERS = ["kty", "kid", "alg", "use", "k", "crv", "x", "y", "n", "e"] as const;

/** A key for a program of a role. */
export function keyData(key: DeliveredKey, role: Role): KeyData {
  const { tokenKid: kid, alg, expiresAt, secret } = key;
  const { pair } = secret;
  const of = pair === undefined ? hmacParts(key) : pairParts(pair, role);
  const jwk = signatureJwk(kid, alg, of.members);
  const { kty } = jwk;
  return {
    ...{ kid, alg, hmac: pair === undefined, pair: pair !== undefined },
    ...{ ec: kty === "EC", okp: kty === "OKP", rsa: kty === "RSA" },
    ...of.encodings,
    jwk,
    jwk_json: JSON.stringify(jwk),
    expires_at: expiresAt === null ? null : rfc3339(expiresAt),
  };
}

interface Parts {
  readonly members: Parameters<typeof signatureJwk>[2];
  readonly encodings: Pick<KeyData, "text" | "base64" | "base64url" | "hex" | "pem" | "spki">;
}

function hmacParts({ secret, keyForm }: DeliveredKey): Parts {
  const key = secret.hmacKey(keyForm);
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length);
  const [base64, base64url, hex] = (["base64", "base64url", "hex"] as const)
    .map((encoding) => bytes.toString(encoding)) as [string, string, string];
  key.fill(0);
  const text = keyForm === "text" ? { text: secret.reveal() } : {};
  return { members: { kty: "oct", k: base64url }, encodings: { ...text, base64, base64url, hex } };
}

// Whoever only verifies must not be able to sign.
function pairParts(pair: KeyPair, role: Role): Parts {
  const { publicKey, privateKey, publicJwk } = pair;
  const der = publicKey.export({ type: "spki", format: "der" }) as Buffer;
  const spki = der.toString("base64");
  if (role === "verifier") {
    return { members: { ...publicJwk }, encodings: { pem: pair.publicPem.trimEnd(), spki } };
  }
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const members = privateKey.export({ format: "jwk" }) as Parts["members"];
  return { members, encodings: { pem: pem.trimEnd(), spki } };
}

const HMAC_ONLY = ["text", "base64", "base64url", "hex"] as const;

/**
 * A key for templates. What this kind of key lacks cannot be used: left out in silence, it would be an empty key; and
 * a public key in the place of an HMAC secret would let anyone sign (RFC 8725 §3.1).
 *
 * @param more names besides.
 */
export function templateKey(key: DeliveredKey, role: Role, more: object = {}): object {
  const data = keyData(key, role);
  if (!/^[\w@+=/.:~-]+$/.test(data.kid)) throw oddKid();
  const missing = data.hmac ? noPem : noSecret;
  const jwk = refusing({ ...data.jwk }, JWK_MEMBERS, () => noMember(key));
  const all = refusing({ ...data, ...more, jwk }, HMAC_ONLY, data.hmac ? noText : missing);
  return refusing(all, ["pem", "spki"], missing);
}

function refusing(
  object: object,
  names: readonly string[],
  why: () => RekeyError,
): object {
  for (const name of names.filter((name) => !Object.hasOwn(object, name))) {
    Object.defineProperty(object, name, {
      get() {
        throw why();
      },
    });
  }
  return object;
}

/** The error for text of a key that is other bytes. */
export function noText(): RekeyError {
  return new RekeyError("failed", "Cannot deliver the key as text: its key form is raw", {
    hint: "Add the delivery with `--set encoding=base64`; in a template use {{base64}} or {{hex}}",
  });
}

/** The error for the bytes of a key pair where a program expects an HMAC secret. */
export function noSecret(): RekeyError {
  return new RekeyError("failed", "Cannot deliver a key pair where an HMAC secret is expected", {
    hint: "Use --format jwks or pem, or `--set encoding=pem`; in a template {{pem}} or " +
      "{{jwk_json}} inside {{#pair}}…{{/pair}}",
  });
}

/** The error for a PEM of an HMAC secret. */
export function noPem(): RekeyError {
  return new RekeyError("failed", "Cannot deliver an HMAC secret where a key pair is expected", {
    hint: "Use --format jwks, or text; in a template {{base64}} inside {{#hmac}}…{{/hmac}}",
  });
}

function noMember({ alg }: DeliveredKey): RekeyError {
  return new RekeyError(
    "failed",
    `Cannot deliver the key: the template uses a part of a JWK that a key for ${alg} lacks`,
    { hint: "Use {{jwk_json}}, or put it inside {{#hmac}}…{{/hmac}} or {{#pair}}…{{/pair}}" },
  );
}

// Templates escape nothing.
/** The error for a kid that the place where it is to stand would read differently. */
export function oddKid(place = "by a template"): RekeyError {
  return new RekeyError(
    "failed",
    `Cannot deliver the key ${place}: the kid of its tokens has characters with a meaning`,
    { hint: "Use --format jwks or json" },
  );
}
