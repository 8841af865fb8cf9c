import { type Algorithm, isHmac } from "../core/algorithms.ts";
import { asRefusal, isRekeyError, usageError } from "../core/errors.ts";
import { LEAST_RSA_BITS } from "../core/key_pair.ts";
import { Secret } from "../core/secret.ts";
import type { Installation } from "../store/installation.ts";
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
    const files = newFiles(delivery, await this.#keysOf(delivery), await dataOf(delivery));
    const failure = await files.then(() => undefined, asRefusal);
    return isRekeyError(failure) ? failure.message : undefined;
  }

  async #keysOf(delivery: Delivery): Promise<DeliveredKeys> {
    // Only when they are needed: an RSA key takes a while.
    const next = this.#next ??= await sample(this.alg, isHmac(this.alg) ? "text" : "pkcs8");
    const isBoth = this.isGraceful && holdsMany(delivery) &&
      delivery.preset.algorithms.includes(this.current.alg);
    if (!isBoth) return { current: next, previous: [] };
    const current = this.#current ??= await sample(this.current.alg, this.current.key_form);
    return { current, prepared: next, previous: [] };
  }
}

/**
 * Checks that a new delivery can be written, with a key that is used for nothing else: like the current or the prepared
 * one or, if it is for keys that are still to be made, like one of those.
 *
 * @throws {RekeyError} `usage` when it is for others only because no encoding was given; else what its delivery would fail
 * with.
 */
export async function mustHoldKeys(
  { database, versions }: Installation,
  delivery: Delivery,
): Promise<void> {
  const next = database.snapshot(() => [versions.current(), versions.prepared()])
    .filter((row) => row !== undefined);
  const known = next.find(({ alg }) => delivery.preset.algorithms.includes(alg));
  if (known === undefined && !next.some(({ alg }) => isHmac(alg))) refuseAssumed(delivery);
  const { alg, key_form } = known ?? firstUse(delivery);
  const key = await sample(alg, key_form);
  await newFiles(delivery, { current: key, previous: [] }, await dataOf(delivery));
}

function firstUse({ preset: { algorithms: [alg = "HS512"] } }: Delivery) {
  return { alg, key_form: isHmac(alg) ? "text" : "pkcs8" } as const;
}

function refuseAssumed({ preset, settings: { parameters } }: Delivery): void {
  const { name, parameters: known } = preset;
  if (known?.encoding === undefined || parameters.encoding !== undefined) return;
  throw usageError(
    `Cannot deliver a key pair by the format ${name}: without an encoding it is for HMAC secrets`,
    "Add `--set encoding=pem` or `--set encoding=jwk`, or use --format jwks, json or pem",
  );
}

async function sample(alg: Algorithm, keyForm: DeliveredKey["keyForm"]): Promise<DeliveredKey> {
  const secret = isHmac(alg) ? Secret.generate() : await Secret.generatePair(alg, LEAST_RSA_BITS);
  return { kid: secret.kid, tokenKid: secret.kid, alg, keyForm, secret, expiresAt: null };
}
