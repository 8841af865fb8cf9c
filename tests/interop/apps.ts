import assert from "node:assert/strict";
import type { KeyringBox } from "../support/keyring/keyring_box.ts";
import type { Form, Key } from "./peers.ts";

/** The HMAC algorithms of rekey. */
export const ALGORITHMS = ["HS256", "HS384", "HS512"] as const;
export type Algorithm = typeof ALGORITHMS[number];

/** An app that `rekey` serves: its algorithm and key form are its own, the keyring is shared. */
export class App {
  readonly #name: string;

  constructor(
    private readonly box: KeyringBox,
    readonly algorithm: Algorithm,
    private readonly form: Form,
  ) {
    this.#name = isDefault(algorithm, form) ? "" : `${algorithm}-${form}`.toLowerCase();
  }

  /** Makes the secret; nothing is said that `rekey init` knows by itself. */
  async init(): Promise<void> {
    const { algorithm, form } = this;
    const options = isDefault(algorithm, form) ? [] : ["--alg", algorithm, "--key-form", form];
    const { key_form } = await this.json("init", ...options);
    assert.equal(key_form, form);
  }

  /** Runs a command of rekey's for this app and parses what it prints. */
  // deno-lint-ignore no-explicit-any
  json(command: string, ...args: string[]): Promise<any> {
    const app = this.#name === "" ? [] : ["--app", this.#name];
    return this.box.json(command, ...app, ...args);
  }

  /** A new token, and its claims as rekey reads them. */
  async issue(): Promise<{ token: string; claims: unknown }> {
    const more = [
      "--claim",
      "tenant=Zoë=✓",
      "--claim",
      'roles:=["admin",{"site":"東京","n":-1.5}]',
    ];
    const { token } = await this.json("issue", "--sub", "Zoë ✓", "--iss", "rekey", ...more);
    const { valid, claims } = await this.json("verify", token);
    assert.equal(valid, true);
    assert.deepEqual([claims.tenant, claims.roles[1].n], ["Zoë=✓", -1.5]);
    return { token, claims };
  }

  /** The secret, as any other program finds it in the keyring. */
  async key(): Promise<Key> {
    const key = this.#name === "" ? await this.box.lookup() : await this.#lookup();
    assert.match(key ?? "", /^[A-Za-z0-9+/]{86}==$/);
    return { key: key!, form: this.form };
  }

  // An app's own name is the keyring's service too; only the default app's is not.
  async #lookup(): Promise<string> {
    const attributes = ["service", this.#name, "username", `${this.#name}.jwt_secret`];
    return (await this.box.exec("secret-tool", ["lookup", ...attributes])).stdout;
  }
}

function isDefault(algorithm: Algorithm, form: Form): boolean {
  return algorithm === "HS512" && form === "text";
}
