import { andThen, type MaybeAsync } from "../core/async.ts";
import type { LiveSecrets, View } from "../secret/view.ts";
import type { Algorithm } from "../store/environment.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { Sessions } from "../store/sqlite/sessions.ts";
import { parseJws } from "./jws.ts";
import { refuseClaims } from "./claims.ts";
import {
  judging,
  refuseRevoked,
  type Verified,
  verifyParsed,
  type VerifyPolicy,
} from "./verifier.ts";

/** How many verified tokens are remembered. They may be long, and what they say takes ten times as much. */
const MOST: CacheLimits = { entries: 10_000, characters: 8 * 2 ** 20 };

/** Longer ones are verified anew each time. */
const LONGEST_REMEMBERED = 4_096;

interface RememberedToken {
  readonly verified: Verified;
  /** The one that its header names, and whether it is its version's own. */
  readonly algorithm: Algorithm;
  readonly isOwn: boolean;
  /** The header's `typ`. */
  readonly type: string | undefined;
  /** The state of the database in which its session was last looked up. */
  change: string;
}

/**
 * Verifies tokens for a server. A token that was verified need not be taken apart again: its signature holds
 * for as long as the generation of the secret does. What the policy, time and revocation decide is asked every time.
 *
 * An entry is found by the whole token: a shortened or hashed key could hand one caller the claims of another.
 */
export class CachedVerifier {
  readonly #entries: LruCache<RememberedToken>;
  #generation = "";

  constructor(private readonly live: LiveSecrets, most = MOST) {
    this.#entries = new LruCache(most);
  }

  /** How many tokens are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** @throws {RekeyError} as {@linkcode verifyToken} does. */
  verify(token: string, asked?: VerifyPolicy): MaybeAsync<Verified> {
    const view = this.live.view();
    if (view.generation !== this.#generation) this.#clear(view.generation);
    const known = this.#entries.get(token);
    if (known === undefined) return this.#wholeWay(token, asked, view);
    const wanted = asked?.algorithm;
    const isWanted = wanted === undefined ? known.isOwn : wanted === known.algorithm;
    // A grace window ends without any change to the database.
    const version = this.live.verifyingNow()
      .find((row) => row.version === known.verified.version);
    return isWanted && version !== undefined
      ? this.#checkAgain(known, version, asked, view)
      : this.#wholeWay(token, asked, view);
  }

  #wholeWay(token: string, asked: VerifyPolicy | undefined, view: View): MaybeAsync<Verified> {
    const parsed = parseJws(token);
    return andThen(verifyParsed(this.live, parsed, asked), (verified) => {
      const isShort = token.length <= LONGEST_REMEMBERED;
      const version = view.versions.find((row) => row.version === verified.version);
      if (isShort && version !== undefined && view.generation === this.#generation) {
        // What was accepted has an algorithm that may sign.
        const { alg, typ: type } = parsed.header;
        const [algorithm, isOwn] = [alg as Algorithm, alg === version.alg];
        this.#entries.set(token, { verified, algorithm, isOwn, type, change: view.change });
      }
      return verified;
    });
  }

  #checkAgain(
    entry: RememberedToken,
    { origin }: Version,
    asked: VerifyPolicy | undefined,
    { installation, policy, change }: View,
  ): Verified {
    const { verified, type } = entry;
    const claimant = { claims: verified.claims, type, adopted: origin === "adopted" };
    const rules = asked === undefined ? policy : judging(asked, policy);
    refuseClaims(claimant, rules, installation.environment.clock() / 1000);
    if (entry.change !== change) {
      refuseRevoked(new Sessions(installation.database), verified.claims.jti);
      entry.change = change;
    }
    return verified;
  }

  #clear(generation: string): void {
    this.#entries.clear();
    this.#generation = generation;
  }
}

/** How much an {@linkcode LruCache} keeps at most: that many entries, with keys of that many characters together. */
interface CacheLimits {
  readonly entries: number;
  readonly characters: number;
}

/**
 * Remembers values by text, those that were used last. When one half is full the other one is forgotten, all at once:
 * the oldest entries of a `Map` cannot be taken out one by one, since it walks past the places of all that were taken
 * out before to find the next.
 */
class LruCache<V extends object> {
  #newer = new Map<string, V>();
  #older = new Map<string, V>();
  // Of the newer half.
  #characters = 0;

  constructor(private readonly limits: CacheLimits) {}

  /** How many entries there are; one that was used again may count twice. */
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
