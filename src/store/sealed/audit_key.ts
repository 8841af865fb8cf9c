import { Buffer } from "node:buffer";
import { damagedMeta, type Meta } from "../sqlite/meta.ts";
import type { Kek } from "./kek.ts";
import { type Binding, seal, unseal } from "./sealing.ts";

/** The HMAC key of the audit log, which is sealed under the KEK. */
export class AuditKey {
  readonly #binding: Binding;
  #opened: { sealed: string; key: Uint8Array } | undefined;

  constructor(
    app: string,
    private readonly meta: Meta,
    private readonly kek: () => Promise<Kek>,
  ) {
    this.#binding = { app, use: "audit" };
  }

  /** @throws {RekeyError} as `Installation.kek` does; `secret_damaged`, `database_damaged`. */
  async read(): Promise<Uint8Array> {
    const sealed = this.meta.get("audit_key");
    if (sealed === undefined) throw damagedMeta("audit_key");
    if (this.#opened?.sealed === sealed) return this.#opened.key;
    try {
      const key = Uint8Array.fromBase64(unseal(await this.kek(), this.#binding, sealed));
      this.#opened = { sealed, key };
      return key;
    } catch (error) {
      // Another process may have sealed it under another KEK before this one had the KEK.
      if (this.meta.get("audit_key") === sealed) throw error;
      return await this.read();
    }
  }

  /** The key, if this command has needed it already. */
  get known(): Uint8Array | undefined {
    return this.#opened?.key;
  }

  /** A key, sealed under a KEK. */
  seal(key: Uint8Array, kek: Kek): Promise<string> {
    return seal(kek, this.#binding, Buffer.from(key).toString("base64"));
  }
}
