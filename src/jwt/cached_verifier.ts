import { andThen, type MaybeAsync } from "../core/async.ts";
import { refuseClaims } from "./claims.ts";
import { parseJws } from "./jws.ts";
import { type Algorithm, isSameAlgorithm } from "../core/algorithms.ts";
import type { VerifyPolicy } from "./policy.ts";
import {
  effectivePolicy,
  type KeySet,
  type KeyVersion,
  refuseRevoked,
  type VerificationKeys,
  type Verified,
  verifyParsed,
} from "./verifier.ts";

/** A {@linkcode KeySet} that tells when it was replaced. */
export interface LiveKeySet extends KeySet {
  /** Differs after every commit to the database, whoever made it. */
  readonly change: string;
  /** Differs when the versions, their algorithms or their key forms do: then no remembered signature counts. */
  readonly generation: string;
}

/** Keys that are read without waiting. */
interface LiveKeys extends VerificationKeys {
  /** As of now; its versions include those whose grace window has ended since the last commit. */
  view(): LiveKeySet;
  verifyingNow(): readonly KeyVersion[];
}

/** How many verified tokens are remembered. Claims take about ten times the memory of their token. */
const CACHE_LIMITS: CacheLimits = { entries: 10_000, characters: 8 * 2 ** 20 };

/** Longer tokens are verified in full each time. */
const LONGEST_REMEMBERED = 4_096;

interface RememberedToken {
  readonly verified: Verified;
  /** The header's `alg`, and whether it is that of the version. */
  readonly algorithm: Algorithm;
  readonly isOwnAlgorithm: boolean;
  /** The header's `typ`. */
  readonly type: string | undefined;
  /** The {@linkcode LiveKeySet.change} at which its session was last looked up. */
  change: string;
}

/**
 * Verifies tokens for a server. The signature of a remembered token stays valid as long as the generation of the keys
 * does. Policy, time and revocation are checked every time.
 *
 * The key of an entry is the whole token: a shortened or hashed one could give a caller the claims of another.
 */
export class CachedVerifier {
  readonly #remembered: LruCache<RememberedToken>;
  #generation = "";

  constructor(private readonly keys: LiveKeys, limits = CACHE_LIMITS) {
    this.#remembered = new LruCache(limits);
  }

  /** How many tokens are remembered. */
  get size(): number {
    return this.#remembered.size;
  }

  /** @throws {RekeyError} as {@linkcode verifyToken} does. */
  verify(token: string, requested?: VerifyPolicy): MaybeAsync<Verified> {
    const view = this.keys.view();
    if (view.generation !== this.#generation) this.#clear(view.generation);
    const known = this.#remembered.get(token);
    if (known === undefined) return this.#verifyInFull(token, requested, view);
    const algorithm = requested?.algorithm;
    const isAllowed = algorithm === undefined
      ? known.isOwnAlgorithm
      : isSameAlgorithm(known.algorithm, algorithm);
    // A grace window ends without any change to the database.
    const version = this.keys.verifyingNow()
      .find((row) => row.version === known.verified.version);
    return isAllowed && version !== undefined
      ? this.#checkAgain(known, version, requested, view)
      : this.#verifyInFull(token, requested, view);
  }

  #verifyInFull(
    token: string,
    requested: VerifyPolicy | undefined,
    view: LiveKeySet,
  ): MaybeAsync<Verified> {
    const parsed = parseJws(token);
    return andThen(verifyParsed(this.keys, parsed, requested), (verified) => {
      const isShort = token.length <= LONGEST_REMEMBERED;
      const version = view.versions.find((row) => row.version === verified.version);
      if (isShort && version !== undefined && view.generation === this.#generation) {
        const { alg, typ: type } = parsed.header;
        // A token is accepted with these algorithms only.
        const [algorithm, isOwnAlgorithm] = [alg as Algorithm, isSameAlgorithm(alg, version.alg)];
        const { change } = view;
        this.#remembered.set(token, { verified, algorithm, isOwnAlgorithm, type, change });
      }
      return verified;
    });
  }

  #checkAgain(
    known: RememberedToken,
    { origin }: KeyVersion,
    requested: VerifyPolicy | undefined,
    view: LiveKeySet,
  ): Verified {
    const { verified, type } = known;
    const token = { claims: verified.claims, type, adopted: origin === "adopted" };
    const policy = requested === undefined ? view.policy : effectivePolicy(requested, view.policy);
    refuseClaims(token, policy, view.now() / 1000);
    if (known.change !== view.change) {
      refuseRevoked(view, verified.claims.jti);
      known.change = view.change;
    }
    return verified;
  }

  #clear(generation: string): void {
    this.#remembered.clear();
    this.#generation = generation;
  }
}

/** Most entries of an {@linkcode LruCache}, and most characters of all its keys together. */
interface CacheLimits {
  readonly entries: number;
  readonly characters: number;
}

/**
 * Keeps the most recently used values by key. It has two halves: when the newer one is full, the older one is dropped
 * as a whole. Deleting the oldest entries of one `Map` singly would be slow, since its iterator walks past the slots of
 * all entries deleted before.
 */
class LruCache<V extends object> {
  #newer = new Map<string, V>();
  #older = new Map<string, V>();
  // Of the keys of the newer half.
  #characters = 0;

  constructor(private readonly limits: CacheLimits) {}

  /** How many entries there are; an entry in both halves counts twice. */
  get size(): number {
    return this.#newer.size + this.#older.size;
  }

  get(key: string): V | undefined {
    const value = this.#newer.get(key);
    if (value !== undefined) return value;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: string, value: V): void {
    if (!this.#newer.has(key)) this.#makeRoom(key.length);
    this.#newer.set(key, value);
  }

  clear(): void {
    this.#newer.clear();
    this.#older.clear();
    this.#characters = 0;
  }

  #makeRoom(characters: number): void {
    const { limits } = this;
    const isFull = this.#newer.size + 1 > limits.entries / 2 ||
      this.#characters + characters > limits.characters / 2;
    if (isFull) {
      this.#older = this.#newer;
      this.#newer = new Map();
      this.#characters = 0;
    }
    this.#characters += characters;
  }
}
