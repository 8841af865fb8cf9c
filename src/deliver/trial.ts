import { type Algorithm, isHmac } from "../core/algorithms.ts";
import { asRefusal, isRekeyError } from "../core/errors.ts";
import { LEAST_RSA_BITS } from "../core/key_pair.ts";
import { Secret } from "../core/secret.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { dataOf, type Delivery, holdsMany, whatKnows } from "./delivery.ts";
import type { DeliveredKey, DeliveredKeys } from "./key_set.ts";
import { newFiles } from "./new_files.ts";

/** Whether programs could hold a key of another algorithm, found out with keys that are used for nothing else. */
export class Trial {
  #current: DeliveredKey | undefined;
  #next: DeliveredKey | undefined;

  /** @param isGraceful whether programs of several keys hold the current key besides. */
  constructor(
    private readonly current: Pick<Version, "alg" | "key_form">,
    private readonly alg: Algorithm,
    private readonly isGraceful: boolean,
  ) {}

  /** @returns why a program could not, in words; `undefined` if it can. */
  async whyUnfit(delivery: Delivery): Promise<string | undefined> {
    const { algorithms } = delivery.preset;
    // Without its preset a delivery fails for a reason of its own.
    if (algorithms.length === 0) return undefined;
    if (!algorithms.includes(this.alg)) return `${whatKnows(delivery)}, and not ${this.alg}`;
    if (isHmac(this.alg) === isHmac(this.current.alg)) return undefined;
    // Templates of operators may expect one kind of key.
    const files = newFiles(delivery, this.#keysOf(delivery), await dataOf(delivery));
    const failure = await files.then(() => undefined, asRefusal);
    return isRekeyError(failure) ? failure.message : undefined;
  }

  #keysOf(delivery: Delivery): DeliveredKeys {
    // Only when they are needed: an RSA key takes a while.
    const next = this.#next ??= sample(this.alg, isHmac(this.alg) ? "text" : "pkcs8");
    const isBoth = this.isGraceful && holdsMany(delivery) &&
      delivery.preset.algorithms.includes(this.current.alg);
    if (!isBoth) return { current: next, previous: [] };
    const current = this.#current ??= sample(this.current.alg, this.current.key_form);
    return { current, prepared: next, previous: [] };
  }
}

function sample(alg: Algorithm, keyForm: DeliveredKey["keyForm"]): DeliveredKey {
  const secret = isHmac(alg) ? Secret.generate() : Secret.generatePair(alg, LEAST_RSA_BITS);
  return { kid: secret.kid, tokenKid: secret.kid, alg, keyForm, secret, expiresAt: null };
}
