import { type Most, Recent } from "../core/recent.ts";
import { andThen, type Soon } from "../core/soon.ts";
import type { LiveSecrets, View } from "../secret/live_secrets.ts";
import type { Algorithm } from "../store/installation.ts";
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

/** How many verified tokens are remembered. They may be long, and what they say takes ten times as much. */
const MOST: Most = { entries: 10_000, characters: 8 * 2 ** 20 };

/** Longer ones are verified anew each time. */
const LONGEST_REMEMBERED = 4_096;

interface Entry {
  readonly verified: Verified;
  /** The one that its header names. */
  readonly algorithm: Algorithm;
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
  readonly #entries: Recent<Entry>;
  #generation = "";

  constructor(private readonly live: LiveSecrets, most = MOST) {
    this.#entries = new Recent(most);
  }

  /** How many tokens are remembered. */
  get size(): number {
    return this.#entries.size;
  }

  /** @throws {RekeyError} as {@linkcode verifyToken} does. */
  verify(token: string, policy: VerifyPolicy = DEFAULT_POLICY): Soon<Verified> {
    const view = this.live.view();
    if (view.generation !== this.#generation) this.#clear(view.generation);
    const algorithm = policy.algorithm ?? view.algorithm;
    const known = this.#entries.get(token);
    if (known?.algorithm === algorithm) return this.#checkAgain(known, policy, view);
    return andThen(verifyToken(this.live, token, policy), (verified) => {
      const isShort = token.length <= LONGEST_REMEMBERED;
      if (isShort && view.generation === this.#generation) {
        this.#entries.set(token, { verified, algorithm, change: view.change });
      }
      return verified;
    });
  }

  #checkAgain(entry: Entry, policy: VerifyPolicy, { installation, change }: View): Soon<Verified> {
    const { verified } = entry;
    // A grace window ends without any change to the database.
    if (!this.live.verifyingNow().some(({ version }) => version === verified.version)) {
      return strangeKid(this.live, verified.kid).then((refusal) => Promise.reject(refusal));
    }
    refuseClaims(verified.claims, policy, installation.now() / 1000);
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
