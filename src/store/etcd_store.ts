import { RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { EtcdClient } from "../etcd/client.ts";
import type { Kek } from "./kek.ts";
import { type Binding, seal, unseal } from "./sealing.ts";
import type { Slot } from "./secret_store.ts";

/**
 * Values in etcd: how they are sealed under the KEK before they leave the machine, and where they go. They come and go
 * with the state that they belong to, in its transactions (fleet/snapshot.ts, commit.ts), and are read from the copy in
 * the database: so this is no store like the others.
 */
export class EtcdStore {
  constructor(
    readonly client: EtcdClient,
    private readonly app: string,
    private readonly kek: () => Promise<Kek>,
  ) {}

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
