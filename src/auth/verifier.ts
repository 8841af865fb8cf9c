import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { KeyForm, Secret } from "../core/secret.ts";
import { andThen, type Soon } from "../core/soon.ts";
import type { Algorithm, Installation } from "../store/installation.ts";
import type { Version } from "../store/versions.ts";
import { type ClaimFailure, claimFailures, type ClaimPolicy } from "./claims.ts";
import { type JsonObject, parseJws } from "./jws.ts";
import { Sessions } from "./sessions.ts";
import { isSignedWith } from "./signature.ts";

/** What a token must be, to be accepted. */
export interface VerifyPolicy extends ClaimPolicy {
  /** Default: the app's own. The token never decides (RFC 8725 §3.1). */
  readonly algorithm?: Algorithm | undefined;
}

/** The policy when nothing is asked for. */
export const DEFAULT_POLICY: VerifyPolicy = { leeway: 0, allowNoExpiry: false };

/** What verifies at one moment, and how. */
export interface Verifying {
  readonly installation: Installation;
  readonly algorithm: Algorithm;
  readonly keyForm: KeyForm;
  /** Versions whose tokens verify: the current one, then those inside a grace window. */
  readonly versions: readonly Version[];
}

/** What a verification asks of whoever owns the secret: `SecretManager`, or `LiveSecrets` in a server. */
export interface VerificationKeys {
  /** What verifies now. */
  look(): Soon<Verifying>;
  /** A value that is at hand, and need not be waited for. */
  keptValue(version: Version): Secret | undefined;
  valueOf(version: Version): Promise<{ secret: Secret }>;
  versionByKid(kid: string): Promise<Version | undefined>;
}

/** A token that was accepted. */
export interface Verified {
  readonly version: number;
  readonly kid: string;
  readonly claims: JsonObject;
}

/** A refusal for its claims; {@linkcode ClaimsError.failures} names all of them. */
export class ClaimsError extends RekeyError {
  constructor(readonly failures: readonly ClaimFailure[]) {
    const all = failures.map(({ claim, reason }) => `${claim} ${reason}`).join(", ");
    super(failures[0]?.code ?? "claim_mismatch", `Cannot accept the token: ${all}`);
  }
}

/**
 * Verifies a token: form, algorithm, version, signature, claims, revocation, in this order, so that a
 * forged token learns nothing of what its claims would have been worth. Where nothing has to be waited for,
 * the answer or the refusal is there at once.
 *
 * @throws {RekeyError} a code with exit status 3 when the token is not valid, 4 when the secret
 * cannot be had.
 */
export function verifyToken(
  keys: VerificationKeys,
  token: string,
  policy: VerifyPolicy = DEFAULT_POLICY,
): Soon<Verified> {
  const { header, payload, signed, signature } = parseJws(token);
  return andThen(keys.look(), ({ installation, algorithm: own, keyForm, versions }) => {
    const algorithm = policy.algorithm ?? own;
    if (header.alg !== algorithm) throw algorithmNotAllowed(algorithm);
    const isSigner = (secret: Secret) =>
      isSignedWith(secret, keyForm, algorithm, signed, signature);
    return andThen(signedBy(keys, versions, header.kid, isSigner), ({ version, kid }) => {
      refuseClaims(payload, policy, installation.now() / 1000);
      refuseRevoked(new Sessions(installation.database), payload.jti);
      return { version, kid, claims: payload };
    });
  });
}

/** The version whose secret signed the token. Without a kid each one that verifies now is tried. */
function signedBy(
  keys: VerificationKeys,
  versions: readonly Version[],
  kid: string | undefined,
  isSigner: (secret: Secret) => boolean,
): Soon<Version> {
  const candidates = kid === undefined ? versions : versions.filter((row) => row.kid === kid);
  return candidates.length > 0
    ? firstOf(keys, candidates, isSigner)
    : strangeKid(keys, kid ?? "").then((refusal) => Promise.reject(refusal));
}

function firstOf(
  keys: VerificationKeys,
  [version, ...others]: readonly Version[],
  isSigner: (secret: Secret) => boolean,
): Soon<Version> {
  if (version === undefined) {
    throw new RekeyError("bad_signature", "Cannot accept the token: its signature is not ours", {
      hint: "It was changed, or another secret signed it",
    });
  }
  return andThen(
    keys.keptValue(version) ?? fetchValue(keys, version),
    (secret) => isSigner(secret) ? version : firstOf(keys, others, isSigner),
  );
}

// A rotation may have ended the version while its value was waited for; then the value may be gone because of it,
// and that is no fault of the store.
async function fetchValue(keys: VerificationKeys, version: Version): Promise<Secret> {
  try {
    const { secret } = await keys.valueOf(version);
    await refuseSuperseded(keys, version);
    return secret;
  } catch (error) {
    if (isRekeyError(error)) await refuseSuperseded(keys, version);
    throw error;
  }
}

/** Refuses a version that a rotation has ended while the token was being verified. */
async function refuseSuperseded(keys: VerificationKeys, { version, kid }: Version): Promise<void> {
  const { versions } = await keys.look();
  if (!versions.some((row) => row.version === version)) throw await strangeKid(keys, kid);
}

/** Why no version that verifies has this kid. */
export async function strangeKid(keys: VerificationKeys, kid: string): Promise<RekeyError> {
  const version = await keys.versionByKid(kid);
  if (version === undefined || version.state === "pending") {
    return new RekeyError("unknown_kid", "Cannot accept the token: no version has its kid", {
      hint: "It was made by another machine or app",
    });
  }
  return new RekeyError(
    "retired_kid",
    `Cannot accept the token: version ${version.version}, which signed it, was rotated away`,
    { hint: "Log in again" },
  );
}

/** @throws {ClaimsError} when the claims are not what the policy asks for at `now`, in seconds. */
export function refuseClaims(claims: JsonObject, policy: VerifyPolicy, now: number): void {
  const failures = claimFailures(claims, policy, now);
  if (failures.length > 0) throw new ClaimsError(failures);
}

/** @throws {RekeyError} `revoked` when the session with this `jti` was ended. */
export function refuseRevoked(sessions: Sessions, jti: unknown): void {
  const session = typeof jti === "string" ? sessions.find(jti) : undefined;
  if (session?.revoked_at == null) return;
  throw new RekeyError("revoked", "Cannot accept the token: its session was ended", {
    hint: "Log in again",
  });
}

function algorithmNotAllowed(wanted: Algorithm): RekeyError {
  return new RekeyError(
    "alg_not_allowed",
    `Cannot accept the token: its algorithm is not ${wanted}`,
    { hint: "Name another HMAC algorithm with --alg if your tokens use it" },
  );
}
