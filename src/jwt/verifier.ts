import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { andThen, type MaybeAsync } from "../core/async.ts";
import type { Installation } from "../store/installation.ts";
import type { Algorithm } from "../store/environment.ts";
import { STANDARD_POLICY, type TokenPolicy } from "../store/token_policy.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { type ClaimPolicy, refuseClaims, textOf } from "./claims.ts";
import { type JsonObject, type ParsedJws, parseJws } from "./jws.ts";
import { Sessions } from "../store/sqlite/sessions.ts";
import { isSignedWith } from "./signature.ts";

type RequestedClaims = { readonly [Name in keyof ClaimPolicy]?: ClaimPolicy[Name] | undefined };

/** What a token must be, to be accepted; what is not asked for is as the app's own policy has it. */
export interface VerifyPolicy extends RequestedClaims {
  /** Default: that of the version that signed it. The token never decides (RFC 8725 §3.1). */
  readonly algorithm?: Algorithm | undefined;
  /** Whether the app's own policy does not count. */
  readonly alone?: boolean | undefined;
}

/** What a verification goes by. */
export type Judging = ClaimPolicy & Pick<VerifyPolicy, "algorithm">;

/** What verifies at one moment, and how. */
export interface Verifying {
  readonly installation: Installation;
  /** The app's own. */
  readonly policy: TokenPolicy;
  /** Versions whose tokens verify: the current one, then those inside a grace window. */
  readonly versions: readonly Version[];
}

/** What a verification asks of whoever owns the secret: `SecretManager`, or `LiveSecrets` in a server. */
export interface VerificationKeys {
  /** What verifies now. */
  look(): MaybeAsync<Verifying>;
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

/**
 * Verifies a token: form, version, that version's algorithm, signature, claims, revocation, in this order, so that a
 * forged token learns nothing of what its claims would have been worth. Where nothing has to be waited for,
 * the answer or the refusal is there at once.
 *
 * @throws {RekeyError} a code with exit status 3 when the token is not valid, 4 when the secret
 * cannot be had.
 */
export function verifyToken(
  keys: VerificationKeys,
  token: string,
  asked?: VerifyPolicy,
): MaybeAsync<Verified> {
  return verifyParsed(keys, parseJws(token), asked);
}

/** {@linkcode verifyToken} for a token that was taken apart. */
export function verifyParsed(
  keys: VerificationKeys,
  { header, payload, signed, signature }: ParsedJws,
  asked?: VerifyPolicy,
): MaybeAsync<Verified> {
  return andThen(keys.look(), ({ installation, policy: own, versions }) => {
    const policy = judging(asked, own);
    const algorithmOf = ({ alg }: Version) => policy.algorithm ?? alg;
    const signer: Signer = {
      kid: header.kid,
      may: (version) => header.alg === algorithmOf(version),
      is: (version, secret) =>
        isSignedWith(secret, version.key_form, algorithmOf(version), signed, signature),
    };
    if (!versions.some(signer.may)) throw algorithmNotAllowed(versions.map(algorithmOf));
    return andThen(signedBy(keys, versions, signer), ({ version, kid, origin }) => {
      const claimant = { claims: payload, type: header.typ, adopted: origin === "adopted" };
      refuseClaims(claimant, policy, installation.now() / 1000);
      refuseRevoked(new Sessions(installation.database), payload.jti);
      return { version, kid, claims: payload };
    });
  });
}

/** What a verification goes by: what is asked for, and else the app's own policy. */
export function judging(asked: VerifyPolicy | undefined, own: TokenPolicy): Judging {
  if (asked === undefined) return own;
  const { alone, ...more } = asked;
  const given = Object.entries(more).filter(([, value]) => value !== undefined);
  return { ...(alone ? STANDARD_POLICY : own), ...Object.fromEntries(given) };
}

/** Which version a token may be signed with, and which it is signed with. */
interface Signer {
  readonly kid: string | undefined;
  /** Whether its algorithm is that version's. */
  may(version: Version): boolean;
  is(version: Version, secret: Secret): boolean;
}

/** The version whose secret signed the token. Without a kid each one that verifies now is tried. */
function signedBy(
  keys: VerificationKeys,
  versions: readonly Version[],
  signer: Signer,
): MaybeAsync<Version> {
  const { kid } = signer;
  if (kid === undefined) return firstOf(keys, versions.filter(signer.may), signer, badSignature);
  const named = versions.find((row) => row.kid === kid);
  if (named === undefined) return signedUnderForeignKid(keys, versions, signer, kid);
  if (!signer.may(named)) throw algorithmNotAllowed([named.alg]);
  return firstOf(keys, [named], signer, badSignature);
}

/**
 * The version that signed a token whose kid is none of ours: an application has named its secret itself, before rekey
 * took it up. So only versions that were taken up can have signed it. When none has, nothing is said about them.
 */
async function signedUnderForeignKid(
  keys: VerificationKeys,
  versions: readonly Version[],
  signer: Signer,
  kid: string,
): Promise<Version> {
  const refusal = await strangeKid(keys, kid);
  const isForeign = await keys.versionByKid(kid) === undefined;
  const candidates = versions.filter((row) => row.origin === "adopted" && signer.may(row));
  return await firstOf(keys, isForeign ? candidates : [], signer, () => refusal);
}

function firstOf(
  keys: VerificationKeys,
  [version, ...others]: readonly Version[],
  signer: Signer,
  refusal: () => RekeyError,
): MaybeAsync<Version> {
  if (version === undefined) throw refusal();
  return andThen(
    keys.keptValue(version) ?? fetchValue(keys, version),
    (secret) => signer.is(version, secret) ? version : firstOf(keys, others, signer, refusal),
  );
}

function badSignature(): RekeyError {
  return new RekeyError("bad_signature", "Cannot accept the token: its signature is not ours", {
    hint: "It was changed, or another secret signed it",
  });
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

/** @throws {RekeyError} `revoked` when the session with this `jti` was ended. */
export function refuseRevoked(sessions: Sessions, jti: unknown): void {
  const name = textOf(jti);
  const session = name === undefined ? undefined : sessions.find(name);
  if (session?.revoked_at == null) return;
  throw new RekeyError("revoked", "Cannot accept the token: its session was ended", {
    hint: "Log in again",
  });
}

function algorithmNotAllowed(wanted: readonly Algorithm[]): RekeyError {
  const names = [...new Set(wanted)].join(" or ");
  return new RekeyError(
    "alg_not_allowed",
    `Cannot accept the token: its algorithm is not ${names}`,
    { hint: "Name another HMAC algorithm with --alg if your tokens use it" },
  );
}
