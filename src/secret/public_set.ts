import { isHmac } from "../core/algorithms.ts";
import { andThen, type MaybeAsync } from "../core/async.ts";
import { RekeyError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { type Jwk, signatureJwk } from "../jwt/jwk.ts";
import { jwksSeconds } from "../jwt/policy.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { kidInTokens } from "./token_kid.ts";
import type { View } from "./view.ts";
import type { LiveSecrets } from "./live_secrets.ts";

/** The public keys of an app, at one time. */
export interface PublicSet {
  /** Equal for equal sets. */
  readonly name: string;
  /** Prepared, current and in grace, the newest first: the set stays the same when a prepared key becomes the current. */
  readonly keys: readonly Jwk[];
  /** The JWK Set (RFC 7517 §5) on one line. */
  readonly text: string;
  /** When the first grace period ends and with it a key leaves, in milliseconds since the epoch; `null`: none does. */
  readonly endsAt: number | null;
}

/** The versions of a view, and how their values are read: `SecretManager` or `LiveSecrets`. */
interface PublicSource {
  /** Its versions are those that verify now. */
  look(): MaybeAsync<View>;
  valueOf(version: Version, purpose?: string): Promise<{ readonly secret: Secret }>;
}

/** How long verifiers may keep an app's set, in seconds, unless a grace period ends sooner. */
export function jwksMaxAge({ policy }: Installation): number {
  return jwksSeconds(policy);
}

/**
 * How long a verifier may keep a set that it gets now, in whole seconds: no longer than a retired key would stay in it.
 *
 * @param now milliseconds since the epoch.
 */
function freshFor({ endsAt }: PublicSet, maxAge: number, now: number): number {
  return endsAt === null
    ? maxAge
    : Math.max(0, Math.min(maxAge, Math.floor((endsAt - now) / 1000)));
}

/**
 * The public keys of an app. Each is derived from the private value that the store holds and authenticates: write access
 * to the database does not add a key. HMAC versions are never in the set.
 *
 * @throws {RekeyError} with exit status 4 when one of the values cannot be read: a set is whole or there is none.
 */
export async function readPublicSet(source: PublicSource): Promise<PublicSet> {
  const versions = publishedVersions(await source.look());
  const keys = await Promise.all(versions.map(async (row) => {
    const { secret } = await source.valueOf(row, "jwks");
    return publishedKey(row, secret);
  })).catch((error) => error as Error);
  // A rotation may have replaced or retired one of them meanwhile.
  const now = publishedVersions(await source.look());
  if (nameOf(now) !== nameOf(versions)) return await readPublicSet(source);
  if (keys instanceof Error) throw keys;
  return setOf(keys, versions);
}

/** A set as it is served. */
export interface ServedSet {
  readonly set: PublicSet;
  /** How long verifiers may keep it, in seconds. */
  readonly maxAge: number;
}

/** A set for a long-running program, which reads values only when the versions have changed. */
export class LivePublicSet {
  #set: PublicSet | undefined;

  constructor(private readonly source: LiveSecrets) {}

  /** The set now: the versions are looked up each time. @throws as {@linkcode readPublicSet} does. */
  now(): MaybeAsync<ServedSet> {
    const view = this.source.look();
    const known = this.#set?.name === nameOf(publishedVersions(view)) ? this.#set : undefined;
    return andThen(known ?? readPublicSet(this.source), (set) => {
      this.#set = set;
      return { set, maxAge: freshFor(set, jwksSeconds(view.policy), view.now()) };
    });
  }
}

// The row's `token_kid` and `alg` only name a key; that it is ours, its value says.
function publishedVersions({ prepared, versions }: View): Version[] {
  const all = prepared === undefined ? versions : [prepared, ...versions];
  return all.filter(({ alg }) => !isHmac(alg));
}

// The kid is a hash of the key, so equal names mean equal sets.
function nameOf(versions: readonly Version[]): string {
  return JSON.stringify(versions.map((row) => [row.kid, row.token_kid, row.alg, row.grace_until]));
}

function publishedKey(row: Version, secret: Secret): Jwk {
  const { alg, version } = row;
  const { pair } = secret;
  if (pair === undefined || !secret.suits(alg, "pkcs8") || secret.kid !== row.kid) {
    throw new RekeyError(
      "secret_damaged",
      `Cannot publish version ${version}: its value is not a key pair for ${alg}`,
      { hint: "Restore it from a backup, or make a new one with `rekey rotate --force`" },
    );
  }
  return signatureJwk(kidInTokens(row), alg, { ...pair.publicJwk });
}

function setOf(keys: readonly Jwk[], versions: readonly Version[]): PublicSet {
  const ends = versions.map((row) => row.grace_until).filter((end) => end !== null);
  return {
    name: nameOf(versions),
    keys,
    text: JSON.stringify({ keys }),
    endsAt: ends.length === 0 ? null : Math.min(...ends),
  };
}
