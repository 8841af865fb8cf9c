import { RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { put, read, remove } from "../etcd/wire.ts";
import type { Kek } from "./kek.ts";
import { type Binding, seal, unseal } from "./sealing.ts";
import { type SecretStore, type Slot, slotName } from "./secret_store.ts";

/**
 * Values in etcd, each a key of its own. They are sealed under the KEK before they leave the machine. Several machines
 * may be about to make the same version, so a key's name has the kid in it and not the number.
 */
export class EtcdStore implements SecretStore {
  readonly location = "etcd";

  constructor(
    readonly client: EtcdClient,
    private readonly app: string,
    private readonly kek: () => Promise<Kek>,
  ) {}

  async read(slot: Slot): Promise<Secret | null> {
    const { found } = await this.client.txn([], [read(this.#key(slot))]);
    const sealed = found[0]?.[0]?.value;
    return sealed === undefined ? null : await this.open(slot, sealed);
  }

  async write(slot: Slot, secret: Secret): Promise<void> {
    const sealed = await this.seal(slot, secret);
    await this.client.txn([], [put(this.#key(slot), sealed)]);
  }

  async remove(slot: Slot): Promise<boolean> {
    const key = this.#key(slot);
    const { found } = await this.client.txn([], [read(key), remove(key)]);
    return found[0]!.length > 0;
  }

  #key(slot: Slot): string {
    const base = `${this.client.settings.prefix}${this.app}/values/${slot.kid}`;
    return slotName(base, slot);
  }

  /** A secret as it is kept: the same text as in the database; under another KEK if one is given. */
  async seal({ version, kid }: Slot, secret: Secret, kek?: Kek): Promise<string> {
    return await seal(kek ?? await this.kek(), this.#binding(version, kid), secret.reveal());
  }

  /** @throws {RekeyError} `kek_wrong` or `secret_damaged`. */
  async open({ version, kid }: Slot, sealed: string): Promise<Secret> {
    const secret = Secret.parse(unseal(await this.kek(), this.#binding(version, kid), sealed), kid);
    if (secret.kid === kid) return secret;
    throw new RekeyError(
      "secret_damaged",
      "Cannot use the value in etcd: it is another version's",
      {
        hint: "Make a new secret with `rekey rotate --force`",
      },
    );
  }

  #binding(version: number, secret_kid: string): Binding {
    return { app: this.app, use: "secret", version, secret_kid };
  }
}
