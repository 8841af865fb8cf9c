import { RekeyError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import type { EtcdClient } from "../../etcd/client.ts";
import { put, read, remove } from "../../etcd/wire.ts";
import type { Kek } from "./kek.ts";
import { type Binding, seal, unseal } from "./sealing.ts";
import type { SecretStore, Slot } from "../../core/secret_store.ts";

/**
 * Values in etcd, sealed under the KEK before they leave the machine. Each is kept under its kid, so that a version has
 * the same place whatever its state. They come and go with the state that they belong to, in its transactions
 * (fleet/commit.ts), and are read from the copy in the database; from here when that is lost or damaged.
 */
export class EtcdStore implements SecretStore {
  readonly location = "etcd";

  constructor(
    readonly client: EtcdClient,
    private readonly app: string,
    private readonly kek: () => Promise<Kek>,
  ) {}

  /** What the keys of all values begin with. */
  get folder(): string {
    return `${this.client.settings.prefix}${this.app}/values/`;
  }

  /** @throws {RekeyError} an `etcd_…` code, `kek_wrong` or `secret_damaged`. */
  async read(slot: Slot): Promise<Secret | null> {
    const [found] = await this.client.range(this.folder + slot.kid);
    return found === undefined ? null : await this.open(slot, found.value);
  }

  /** @throws {RekeyError} an `etcd_…` code. */
  async write(slot: Slot, secret: Secret): Promise<void> {
    await this.client.txn([], [put(this.folder + slot.kid, await this.seal(slot, secret))]);
  }

  /** @throws {RekeyError} an `etcd_…` code. */
  async remove({ kid }: Slot): Promise<boolean> {
    const key = this.folder + kid;
    const { found } = await this.client.txn([], [read(key), remove(key)]);
    return found[0]!.length > 0;
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
