import { andThen, type MaybeAsync } from "../core/async.ts";
import { type AcceptedSpan, acceptedSpan, refuseClaims } from "./claims.ts";
import { parseJws } from "./jws.ts";
import { type Algorithm, isSameAlgorithm } from "../core/algorithms.ts";
import type { TokenPolicy, VerifyPolicy } from "./policy.ts";
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
  /** The same list as long as the same versions verify. */
  verifyingNow(): readonly KeyVersion[];
}

/** How many verified tokens are remembered. Claims take about ten times the memory of their token. */
const CACHE_LIMITS: CacheLimits = { entries: 10_000, characters: 8 * 2 ** 20 };

/** Longer tokens are verified in full each time. */
const LONGEST_REMEMBERED = 4_096;

interface RememberedToken {
  /** What it was found in, as a whole. */
  readonly text: string;
  readonly verified: Verified;
  /** The header's `alg`, and whether it is that of the version. */
  readonly algorithm: Algorithm;
  readonly isOwnAlgorithm: boolean;
  /** The header's `typ`. */
  readonly type: string | undefined;
  /** How the token was found in the text. */
  readonly tokenOf: TokenOf;
  /** Its version, if it is among those that verified when it was last used. */
  version: KeyVersion | undefined;
  among: readonly KeyVersion[] | undefined;
  /** The {@linkcode LiveKeySet.change} at which its session was last looked up. */
  change: string;
  /** When an app's policy accepts its claims; `undefined` until it is used a second time. */
  accepted: (AcceptedSpan & { readonly policy: TokenPolicy }) | undefined;
}

/** Finds the token in what a client has sent. Throws if there is none. */
export type TokenOf = (text: string) => string;

const whole: TokenOf = (token) => token;

/**
 * Verifies tokens for a server. The signature of a remembered token stays valid as long as the generation of the keys
 * does. Policy, time and revocation are checked every time.
 *
 * A token is remembered when it is accepted for the second time. Most of what a token that comes once leaves behind would
 * outlive it, and be copied by the garbage collector.
 *
 * An entry counts only for the whole token, or the whole text that the client has sent it in: a part or a hash of it
 * could give a caller the claims of another.
 */
export class CachedVerifier {
  readonly #remembered: RememberedTokens;
  readonly #accepted = new Marks();
  #generation = "";

  constructor(private readonly keys: LiveKeys, limits = CACHE_LIMITS) {
    this.#remembered = new RememberedTokens(limits);
  }

  /** How many tokens are remembered. */
  get size(): number {
    return this.#remembered.size;
  }

  /**
   * @param text a token, or what it is found in by `tokenOf`: always the same function for the same kind of text.
   * @throws {RekeyError} as {@linkcode verifyToken} does.
   * @throws what `tokenOf` throws.
   */
  verify(text: string, requested?: VerifyPolicy, tokenOf = whole): MaybeAsync<Verified> {
    const view = this.keys.view();
    if (view.generation !== this.#generation) this.#clear(view.generation);
    const known = this.#remembered.get(markOf(text));
    // The text of a header is not a token, even if it is remembered.
    if (known?.text !== text || known.tokenOf !== tokenOf) {
      return this.#verifyInFull(text, requested, view, tokenOf);
    }
    const algorithm = requested?.algorithm;
    const isAllowed = algorithm === undefined
      ? known.isOwnAlgorithm
      : isSameAlgorithm(known.algorithm, algorithm);
    const version = versionOf(known, this.keys.verifyingNow());
    return isAllowed && version !== undefined
      ? this.#checkAgain(known, version, requested, view)
      : this.#verifyInFull(text, requested, view, tokenOf);
  }

  #verifyInFull(
    text: string,
    requested: VerifyPolicy | undefined,
    view: LiveKeySet,
    tokenOf: TokenOf,
  ): MaybeAsync<Verified> {
    const parsed = parseJws(tokenOf(text));
    return andThen(verifyParsed(this.keys, parsed, requested), (verified) => {
      const isShort = text.length <= LONGEST_REMEMBERED;
      const version = view.versions.find((row) => row.version === verified.version);
      const isKept = isShort && version !== undefined && view.generation === this.#generation;
      const mark = markOf(text);
      if (isKept && this.#accepted.add(mark)) {
        const { alg, typ: type } = parsed.header;
        // A token is accepted with these algorithms only.
        const [algorithm, isOwnAlgorithm] = [alg as Algorithm, isSameAlgorithm(alg, version.alg)];
        this.#remembered.set(mark, {
          ...{ text, verified, algorithm, isOwnAlgorithm, type, tokenOf },
          ...{ version: undefined, among: undefined, change: view.change, accepted: undefined },
        });
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
    const { verified } = known;
    const { policy } = view;
    const now = view.now() / 1000;
    if (requested !== undefined || !isAcceptedAt(known, policy, now)) {
      const token = { claims: verified.claims, type: known.type, adopted: origin === "adopted" };
      refuseClaims(token, effectivePolicy(requested, policy), now);
      if (requested === undefined) {
        known.accepted = { policy, ...acceptedSpan(token.claims, policy) };
      }
    }
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

// A grace window ends without any change to the database.
function versionOf(known: RememberedToken, among: readonly KeyVersion[]): KeyVersion | undefined {
  if (known.among !== among) {
    known.among = among;
    known.version = among.find((row) => row.version === known.verified.version);
  }
  return known.version;
}

// A policy is another object after every commit.
function isAcceptedAt({ accepted }: RememberedToken, policy: TokenPolicy, now: number): boolean {
  return accepted?.policy === policy && accepted.from <= now && now < accepted.until;
}

const MARKED_CHARACTERS = 16;

/**
 * A number of a text, so that it can be found without reading all of it. Two texts may have the same. It is made of the
 * last characters, which are those of a signature, and the length: a token may come with and without `Bearer`.
 */
function markOf(text: string): number {
  let mark = text.length;
  for (let at = Math.max(0, text.length - MARKED_CHARACTERS); at < text.length; at++) {
    mark = Math.imul(mark, 31) + text.charCodeAt(at) | 0;
  }
  return mark;
}

/** The marks of texts that came lately. If two have the same, one is remembered that has come once. */
class Marks {
  // A few more than there are entries, so that a mark lasts about as long as an entry would.
  readonly #marks = new Int32Array(2 ** 14);

  /** @returns whether it was added lately. */
  add(mark: number): boolean {
    const marks = this.#marks;
    const place = mark & (marks.length - 1);
    const isKnown = marks[place] === mark;
    marks[place] = mark;
    return isKnown;
  }
}

/** Most entries of a {@linkcode RememberedTokens}, and most characters of all their texts together. */
interface CacheLimits {
  readonly entries: number;
  readonly characters: number;
}

/**
 * Keeps the most recently used tokens by the marks of their texts. It has two halves: when the newer one is full, the
 * older one is dropped as a whole. Deleting the oldest entries of one `Map` singly would be slow, since its iterator
 * walks past the slots of all entries deleted before.
 */
class RememberedTokens {
  #newer = new Map<number, RememberedToken>();
  #older = new Map<number, RememberedToken>();
  // Of the texts of the newer half.
  #characters = 0;

  constructor(private readonly limits: CacheLimits) {}

  /** How many entries there are; an entry in both halves counts twice. */
  get size(): number {
    return this.#newer.size + this.#older.size;
  }

  /** The token whose text has this mark. The text itself may be another one. */
  get(mark: number): RememberedToken | undefined {
    const token = this.#newer.get(mark);
    if (token !== undefined) return token;
    const older = this.#older.get(mark);
    if (older !== undefined) this.set(mark, older);
    return older;
  }

  set(mark: number, token: RememberedToken): void {
    // Of two texts with the same mark one takes the other's place.
    const { length } = token.text;
    if (this.#newer.get(mark)?.text.length !== length) this.#makeRoom(length);
    this.#newer.set(mark, token);
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
