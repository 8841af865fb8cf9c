import { takeRows } from "../sqlite/tables.ts";
import { RekeyError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import type { SqlValue } from "../../core/sql.ts";
import type { Database } from "../sqlite/database.ts";
import type { Kek } from "./kek.ts";
import { type Binding, seal, unseal } from "./sealing.ts";
import { placeName, type SecretStore, type Slot, slotName } from "../../core/location.ts";
import type { EtcdClient } from "../../etcd/client.ts";

const SETTINGS_KEY = "jwt_secret";
const OUR_ROWS = `key = '${SETTINGS_KEY}' OR key GLOB '${SETTINGS_KEY}.v[0-9]*'`;

/** Values that are sealed under the KEK, each bound to its app, version and kid. */
abstract class SealedStore {
  abstract readonly location: "database" | "etcd";

  constructor(private readonly app: string, private readonly kek: () => Promise<Kek>) {}

  /** Seals a secret, under another KEK if given. The text is the same in the database and in etcd. */
  async seal(slot: Omit<Slot, "name">, secret: Secret, kek?: Kek): Promise<string> {
    return await seal(kek ?? await this.kek(), this.#binding(slot), secret.reveal());
  }

  /** Opens a sealed secret. @throws {RekeyError} `kek_wrong` or `secret_damaged`. */
  async open(slot: Omit<Slot, "name">, sealed: string): Promise<Secret> {
    const value = unseal(await this.kek(), this.#binding(slot), sealed);
    const secret = Secret.parse(value, slot.kid);
    if (secret.kid === slot.kid) return secret;
    throw new RekeyError(
      "secret_damaged",
      `Cannot use the sealed value in ${placeName(this.location)}: it belongs to another version`,
      { hint: "Make a new secret with `rekey rotate --force`, or restore a backup" },
    );
  }

  #binding({ version, kid }: Omit<Slot, "name">): Binding {
    return { app: this.app, use: "secret", version, secret_kid: kid };
  }
}

/**
 * Values in the `settings` table. Sealing is asynchronous and transactions are not: seal a value first, then `put` it
 * inside the transaction.
 */
export class DatabaseStore extends SealedStore implements SecretStore {
  readonly location = "database";

  constructor(private readonly database: Database, app: string, kek: () => Promise<Kek>) {
    super(app, kek);
  }

  async read(slot: Slot): Promise<Secret | null> {
    const sealed = this.sealedValue(slot);
    if (sealed === undefined) return null;
    try {
      return await this.open(slot, sealed);
    } catch (error) {
      // Another process may have sealed it under another KEK before this one had the KEK.
      if (this.sealedValue(slot) === sealed) throw error;
      return await this.read(slot);
    }
  }

  async write(slot: Slot, secret: Secret): Promise<void> {
    const sealed = await this.seal(slot, secret);
    this.database.transaction(() => this.put(slot, sealed));
  }

  remove(slot: Slot): Promise<boolean> {
    return Promise.resolve(this.database.transaction(() => this.drop(slot)));
  }

  /** Inside a transaction: stores a sealed value. @throws {RekeyError} `failed` when the row reads back differently. */
  put(slot: Slot, sealed: string): void {
    this.database.prepare(
      `INSERT INTO settings (key, value, encrypted) VALUES (?, ?, 1)
       ON CONFLICT (key) DO UPDATE SET value = excluded.value, encrypted = 1`,
    ).run(slotName(SETTINGS_KEY, slot), sealed);
    // Throwing rolls back, which keeps the old value.
    if (this.sealedValue(slot) === sealed) return;
    const message = "Cannot store the JWT secret: the database holds another value";
    throw new RekeyError("failed", message, {
      hint: "Nothing was changed. Look for another program's trigger on the table settings",
    });
  }

  /** Inside a transaction: deletes a sealed value. Returns whether it existed. */
  drop(slot: Slot): boolean {
    return this.database.prepare("DELETE FROM settings WHERE key = ?")
      .run(slotName(SETTINGS_KEY, slot)) > 0;
  }

  /** The content of the slot's row: sealed, or plain before adoption. */
  sealedValue(slot: Slot): string | undefined {
    return this.rawValue(slotName(SETTINGS_KEY, slot));
  }

  /** The row `jwt_secret` as an application wrote it. */
  rawValue(key = SETTINGS_KEY): string | undefined {
    const row = this.database.prepare("SELECT value FROM settings WHERE key = ?").get(key);
    return (row as { value: string } | undefined)?.value;
  }

  /**
   * Inside a transaction that {@linkcode withoutForeignKeys} begins: rewrites every row, so that no page keeps values that
   * another program deleted unwiped.
   */
  rewriteRows(): void {
    const rows = this.database.prepare("SELECT key, value, encrypted FROM settings").all();
    this.database.prepare("DELETE FROM settings").run();
    const insert = this.database.prepare(
      "INSERT INTO settings (key, value, encrypted) VALUES (?, ?, ?)",
    );
    for (const row of rows) insert.run(...Object.values(row) as SqlValue[]);
  }

  /** Inside a transaction: deletes all of rekey's values, sealed or plain. */
  dropAll(): void {
    this.database.prepare(`DELETE FROM settings WHERE ${OUR_ROWS}`).run();
  }

  /** Inside a transaction: replaces all of rekey's values with those of another database. */
  takeAll(from: Database): void {
    takeRows(this.database, from, "settings", OUR_ROWS);
  }

  /** Whether the table has any rows, such as an application's. */
  otherSettings(): boolean {
    return this.database.prepare("SELECT 1 FROM settings LIMIT 1").get() !== undefined;
  }
}

// Most machines have no etcd.
const wire = () => import("../../etcd/wire.ts");

/**
 * Values in etcd, sealed before they leave the machine, each under its kid. They are written and deleted
 * in the transactions of the shared state (`cluster/commit.ts`). Reads use the copy in the database, and etcd when that
 * is missing or damaged.
 */
export class EtcdStore extends SealedStore implements SecretStore {
  readonly location = "etcd";
  /** Prefix of the keys of all values. */
  readonly folder: string;

  constructor(readonly client: EtcdClient, app: string, kek: () => Promise<Kek>) {
    super(app, kek);
    this.folder = `${client.settings.prefix}${app}/values/`;
  }

  /** @throws {RekeyError} an `etcd_…` code, `kek_wrong` or `secret_damaged`. */
  async read(slot: Slot): Promise<Secret | null> {
    const [found] = await this.client.range(this.folder + slot.kid);
    return found === undefined ? null : await this.open(slot, found.value);
  }

  /** @throws {RekeyError} an `etcd_…` code. */
  async write(slot: Slot, secret: Secret): Promise<void> {
    const { put } = await wire();
    await this.client.txn([], [put(this.folder + slot.kid, await this.seal(slot, secret))]);
  }

  /** @throws {RekeyError} an `etcd_…` code. */
  async remove({ kid }: Slot): Promise<boolean> {
    const key = this.folder + kid;
    const { read, remove } = await wire();
    const { found } = await this.client.txn([], [read(key), remove(key)]);
    return found[0]!.length > 0;
  }
}
