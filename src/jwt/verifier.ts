import { andThen, type MaybeAsync } from "../core/async.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { KeyForm, Secret } from "../core/secret.ts";
import { refuseClaims, textOf } from "./claims.ts";
import { isSignedWith } from "./signatures.ts";
import { type JsonObject, type ParsedJws, parseJws } from "./jws.ts";
import { type Algorithm, isHmac, isSameAlgorithm } from "../core/algorithms.ts";
import {
  type ClaimPolicy,
  STANDARD_POLICY,
  type TokenPolicy,
  type VerifyPolicy,
} from "./policy.ts";

/** A version of the secret, as far as verification looks at it. */
export interface KeyVersion {
  readonly version: number;
  readonly kid: string;
  /** kid of its tokens, if that is another one: of a key pair that had it before it was imported. */
  readonly token_kid: string | null;
  readonly state: "pending" | "current" | "previous" | "retired";
  /** Whether rekey made the secret or took it over from an application, which may have signed tokens with it before. */
  readonly origin: "generated" | "adopted";
  /** The algorithm of its tokens. */
  readonly alg: Algorithm;
  /** How the key is made from its value. */
  readonly key_form: KeyForm;
}

/** Which versions verify at one instant, and by which rules. */
export interface KeySet {
  /** The app's own. */
  readonly policy: TokenPolicy;
  /** The current version, then those inside a grace window. */
  readonly versions: readonly KeyVersion[];
  /** Milliseconds since the epoch. */
  now(): number;
  /** Whether the session with this `jti` was revoked. */
  isRevoked(jti: string): boolean;
}

/** Where verification gets its keys: `SecretManager`, or `LiveSecrets` in a server. */
export interface VerificationKeys {
  /** What verifies now. */
  look(): MaybeAsync<KeySet>;
  /** A value in memory, if there is one. */
  keptValue(version: KeyVersion): Secret | undefined;
  valueOf(version: KeyVersion): Promise<{ readonly secret: Secret }>;
  /** The version whose tokens have this kid, whatever its state. */
  versionByKid(kid: string): Promise<KeyVersion | undefined>;
}

/** {@linkcode Verified.claims} as `JSON.stringify` writes them, in base64url, if the token has them so. */
export const ENCODED_CLAIMS = Symbol("encoded claims");

/** A token that was accepted. */
export interface Verified {
  readonly version: number;
  readonly kid: string;
  readonly claims: JsonObject;
  // A symbol, since the rest is the answer to those who ask for a verdict.
  readonly [ENCODED_CLAIMS]?: string | undefined;
}

/**
 * Verifies a token: form, version, that version's algorithm, signature, claims, revocation, in this order, so that a
 * forged token does not learn whether its claims would have been accepted. Returns or throws synchronously when there
 * is nothing to wait for.
 *
 * @throws {RekeyError} a code with exit status 3 when the token is not valid, 4 when the secret is unavailable.
 */
export function verifyToken(
  keys: VerificationKeys,
  token: string,
  requested?: VerifyPolicy,
): MaybeAsync<Verified> {
  return verifyParsed(keys, parseJws(token), requested);
}

/** {@linkcode verifyToken} for a token that is parsed already. */
export function verifyParsed(
  keys: VerificationKeys,
  { header, payload, plainPayload, signed, signature }: ParsedJws,
  requested?: VerifyPolicy,
): MaybeAsync<Verified> {
  return andThen(keys.look(), (keySet) => {
    const { versions } = keySet;
    const policy = effectivePolicy(requested, keySet.policy);
    const algorithmOf = ({ alg }: KeyVersion) => algorithmFor(alg, requested?.algorithm);
    const signer: Signer = {
      kid: header.kid,
      isAllowed: (version) => isSameAlgorithm(header.alg, algorithmOf(version)),
      isSigner: (version, secret) => {
        const use = { alg: algorithmOf(version), key_form: version.key_form };
        return isSignedWith(secret, use, signed, signature);
      },
    };
    if (requested?.algorithm !== undefined && !isSameAlgorithm(header.alg, requested.algorithm)) {
      throw algorithmNotAllowed([requested.algorithm], OTHER_ASKED);
    }
    if (!versions.some(signer.isAllowed)) {
      return refuseAlgorithm(keys, signer, versions.map(algorithmOf));
    }
    return andThen(signedBy(keys, versions, signer), ({ version, kid, origin }) => {
      const token = { claims: payload, type: header.typ, adopted: origin === "adopted" };
      refuseClaims(token, policy, keySet.now() / 1000);
      refuseRevoked(keySet, payload.jti);
      return { version, kid, claims: payload, [ENCODED_CLAIMS]: plainPayload };
    });
  });
}

// A caller may read tokens of an HMAC secret with another hash. A key pair is for one algorithm (RFC 8725 §3.1).
function algorithmFor(own: Algorithm, requested: Algorithm | undefined): Algorithm {
  return requested !== undefined && isHmac(own) && isHmac(requested) ? requested : own;
}

/** The requested policy, completed by the app's own. */
export function effectivePolicy(
  requested: VerifyPolicy | undefined,
  own: TokenPolicy,
): ClaimPolicy {
  if (requested === undefined) return own;
  const { ignoreAppPolicy, ...parts } = requested;
  const given = Object.entries(parts).filter(([, value]) => value !== undefined);
  return { ...(ignoreAppPolicy ? STANDARD_POLICY : own), ...Object.fromEntries(given) };
}

/** Which version may have signed a token, and which one has. */
interface Signer {
  /** The header's `kid`. */
  readonly kid: string | undefined;
  /** Whether the token's algorithm is that of the version. */
  isAllowed(version: KeyVersion): boolean;
  isSigner(version: KeyVersion, secret: Secret): boolean;
}

/** The refusal of an algorithm that no version has any more; a token of a version that had it is told that it is retired. */
async function refuseAlgorithm(
  keys: VerificationKeys,
  { kid, isAllowed }: Signer,
  allowed: readonly Algorithm[],
): Promise<never> {
  const version = kid === undefined ? undefined : await keys.versionByKid(kid);
  if (version !== undefined && isAllowed(version)) throw await unknownKid(keys, kid!);
  throw algorithmNotAllowed(allowed);
}

/** The version whose secret signed the token. Without a kid, each version that verifies is tried. */
function signedBy(
  keys: VerificationKeys,
  versions: readonly KeyVersion[],
  signer: Signer,
): MaybeAsync<KeyVersion> {
  const { kid } = signer;
  if (kid === undefined) {
    return firstSigner(keys, versions.filter(signer.isAllowed), signer, badSignature);
  }
  const named = versions.find((row) => row.kid === kid || row.token_kid === kid);
  if (named === undefined) return signedUnderForeignKid(keys, versions, signer, kid);
  if (!signer.isAllowed(named)) throw algorithmNotAllowed([named.alg]);
  return firstSigner(keys, [named], signer, badSignature);
}

/**
 * The version that signed a token with an unknown kid. An application may have given its secret a kid of its own before
 * rekey adopted it, so adopted versions are tried. If none of them matches, the error does not mention them.
 */
async function signedUnderForeignKid(
  keys: VerificationKeys,
  versions: readonly KeyVersion[],
  signer: Signer,
  kid: string,
): Promise<KeyVersion> {
  const refusal = await unknownKid(keys, kid);
  const isForeign = await keys.versionByKid(kid) === undefined;
  const adopted = versions.filter((row) => row.origin === "adopted" && signer.isAllowed(row));
  return await firstSigner(keys, isForeign ? adopted : [], signer, () => refusal);
}

function firstSigner(
  keys: VerificationKeys,
  [version, ...others]: readonly KeyVersion[],
  signer: Signer,
  refusal: () => RekeyError,
): MaybeAsync<KeyVersion> {
  if (version === undefined) throw refusal();
  return andThen(
    keys.keptValue(version) ?? fetchValue(keys, version),
    (secret) =>
      signer.isSigner(version, secret) ? version : firstSigner(keys, others, signer, refusal),
  );
}

// A rotation may retire the version and delete its value while this waits for it. That is no fault of the store.
async function fetchValue(keys: VerificationKeys, version: KeyVersion): Promise<Secret> {
  try {
    const { secret } = await keys.valueOf(version);
    await refuseRetired(keys, version);
    return secret;
  } catch (error) {
    if (isRekeyError(error)) await refuseRetired(keys, version);
    throw error;
  }
}

/** Refuses a version that was retired while the token was being verified. */
async function refuseRetired(keys: VerificationKeys, { kid }: KeyVersion): Promise<void> {
  const { versions } = await keys.look();
  // Not by the number: another database may have taken the place of the one that named it.
  if (!versions.some((row) => row.kid === kid)) throw await unknownKid(keys, kid);
}

/** @throws {RekeyError} `revoked` when the session with this `jti` was revoked. */
export function refuseRevoked(sessions: Pick<KeySet, "isRevoked">, jti: unknown): void {
  const name = textOf(jti);
  if (name === undefined || !sessions.isRevoked(name)) return;
  throw new RekeyError("revoked", "Cannot accept the token: its session was ended", {
    hint: "Log in again",
  });
}

/** The error for a kid that no version in use has. */
async function unknownKid(keys: VerificationKeys, kid: string): Promise<RekeyError> {
  const version = await keys.versionByKid(kid);
  if (version === undefined || version.state === "pending") {
    return new RekeyError("unknown_kid", "Cannot accept the token: no version has its kid", {
      hint: "Another machine or app issued it",
    });
  }
  return new RekeyError(
    "retired_kid",
    `Cannot accept the token: version ${version.version}, which signed it, was rotated away`,
    { hint: "Log in again" },
  );
}

function badSignature(): RekeyError {
  return new RekeyError("bad_signature", "Cannot accept the token: its signature does not match", {
    hint: "It was changed, or signed with another secret",
  });
}

const OTHER_HMAC = "If your tokens use another HMAC algorithm, name it with --alg";
const OTHER_ASKED =
  "Leave --alg out: then the version that signed the token decides, which `rekey status` shows";
const OTHER_KIND = "Each version is for one algorithm, which `rekey status` shows; " +
  "a token from before a rotation may have ended with it";

function algorithmNotAllowed(
  allowed: readonly Algorithm[],
  hint = allowed.every(isHmac) ? OTHER_HMAC : OTHER_KIND,
): RekeyError {
  const names = [...new Set(allowed)].join(" or ");
  return new RekeyError(
    "alg_not_allowed",
    `Cannot accept the token: its algorithm is not ${names}`,
    { hint },
  );
}
