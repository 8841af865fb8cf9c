import type { LiveSecrets } from "../secret/live_secrets.ts";
import { Sessions } from "./sessions.ts";
import {
  DEFAULT_POLICY,
  refuseClaims,
  refuseRevoked,
  strangeKid,
  type Verified,
  type VerifyPolicy,
  verifyToken,
} from "./verifier.ts";

/** How many verified tokens are remembered at most. */
const MOST_ENTRIES = 10_000;

/** How many characters of them: tokens may be long, and what they say takes ten times as much. */
const MOST_CHARACTERS = 8 * 2 ** 20;

/** Longer ones are verified anew each time. */
const LONGEST_REMEMBERED = 4_096;

interface Entry {
  readonly verified: Verified;
  /** The state of the database in which its session was last looked up. */
  change: string;
}

/**
 * Verifies tokens for a server. A token that was verified need not be taken apart again: its signature holds
 * for as long as the generation of the secret does. What time and revocation decide is asked every time.
 *
 * An entry is found by the whole token together with the whole policy: a shortened or hashed key could
 * hand one caller the claims of another.
 */
export class CachedVerifier {
  readonly #entries = new Map<string, Entry>();
  #characters = 0;
  #generation = "";

  constructor(
    private readonly live: LiveSecrets,
    private readonly most = { entries: MOST_ENTRIES, characters: MOST_CHARACTERS },
  ) {}

  /** How many tokens are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** @throws {RekeyError} as {@linkcode verifyToken} does. */
  async verify(token: string, policy: VerifyPolicy = DEFAULT_POLICY): Promise<Verified> {
    const { change, generation } = this.live.view();
    if (generation !== this.#generation) this.#clear(generation);
    const key = keyOf(token, policy);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      await this.#checkAgain(known, policy);
      return known.verified;
    }
    const verified = await verifyToken(this.live, token, policy);
    const isShort = token.length <= LONGEST_REMEMBERED;
    if (isShort && generation === this.#generation) this.#remember(key, { verified, change });
    return verified;
  }

  async #checkAgain(entry: Entry, policy: VerifyPolicy): Promise<void> {
    const { verified } = entry;
    const { installation, change } = this.live.view();
    // A grace window ends without any change to the database.
    if (!this.live.verifyingNow().some(({ version }) => version === verified.version)) {
      throw await strangeKid(this.live, verified.kid);
    }
    refuseClaims(verified.claims, policy, installation.now() / 1000);
    if (entry.change !== change) {
      refuseRevoked(new Sessions(installation.database), verified.claims.jti);
      entry.change = change;
    }
  }

  #remember(key: string, entry: Entry): void {
    // Requests at the same time verify the same token: it counts once.
    if (!this.#entries.has(key)) this.#characters += key.length;
    this.#entries.set(key, entry);
    for (const oldest of this.#entries.keys()) {
      const { entries, characters } = this.most;
      if (this.#entries.size <= entries && this.#characters <= characters) break;
      this.#entries.delete(oldest);
      this.#characters -= oldest.length;
    }
  }

  #clear(generation: string): void {
    this.#entries.clear();
    this.#characters = 0;
    this.#generation = generation;
  }
}

// As JSON, so that no two policies and tokens have the same key.
function keyOf(token: string, policy: VerifyPolicy): string {
  const { issuer, audience, subject, leeway, maxAge, allowNoExpiry, algorithm } = policy;
  const asked = [issuer, audience, subject, leeway, maxAge, allowNoExpiry, algorithm];
  return JSON.stringify([token, ...asked.map((value) => value ?? null)]);
}
