import { join } from "node:path";
import { within } from "../../core/async.ts";
import { Backoff } from "../../core/backoff.ts";
import { asRefusalOrBug, type RekeyError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import { keyData } from "../../deliver/key_data.ts";
import { type DeliveredKey, deliveredKey } from "../../deliver/key_set.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import { removeKeysFolder, writeKeys } from "./keys_folder.ts";
import type { KnownVersions } from "./watch.ts";

// Keys that have ended leave the file by then, even if the new ones cannot be read yet.
const READ_MS = 500;

/**
 * How a value is read; `undefined` when its version has ended meanwhile.
 *
 * @throws {RekeyError} with exit status 4 when it cannot be read.
 */
type Read = (version: Version) => Promise<Secret | undefined>;

/**
 * The JWK Set (RFC 7517 §5) of a program: the current key first, then the one that a rotation is about to make current,
 * then those in a grace window. Of key pairs only the current one is there with its private key. It is replaced as a
 * whole.
 */
export class KeysFile {
  readonly #keys = new Map<string, DeliveredKey>();
  // Those that were read as versions that verify, and not only ahead of a rotation's commit.
  readonly #handedOn = new Set<string>();
  readonly #backoff = new Backoff();
  #reading: Promise<void> | undefined;
  #kids: readonly string[] = [];
  #written: string | undefined;
  #failure: RekeyError | undefined;

  /** @param folder made by `makeKeysFolder`. @param warn called once for each problem. */
  constructor(
    private readonly folder: string,
    private readonly read: Read,
    private readonly warn: (text: string) => void,
  ) {}

  get path(): string {
    return join(this.folder, "keys.json");
  }

  /** The kids in the file. */
  get kids(): readonly string[] {
    return this.#kids;
  }

  /** @throws {RekeyError} why the file lacks a key. */
  mustHold(kid: string): void {
    if (!this.kids.includes(kid) && this.#failure !== undefined) throw this.#failure;
  }

  /** Brings the file up to date. @returns whether it was written. */
  async update({ current, previous, pending }: KnownVersions): Promise<boolean> {
    const wanted = [current, ...pending === undefined ? [] : [pending], ...previous];
    const kids = wanted.map(({ kid }) => kid);
    for (const kid of [...this.#keys.keys()]) if (!kids.includes(kid)) this.#forget(kid);
    const lacking = wanted.filter(({ kid, state }) =>
      !(state === "pending" ? this.#keys : this.#handedOn).has(kid)
    );
    if (lacking.length > 0 && !this.#backoff.isOn) {
      this.#reading ??= this.#readAll(lacking).finally(() => this.#reading = undefined);
      await within(READ_MS, this.#reading);
    }
    return await this.#write(kids.filter((kid) => this.#keys.has(kid)), current.kid);
  }

  remove(): void {
    removeKeysFolder(this.folder);
  }

  async #readAll(rows: readonly Version[]): Promise<void> {
    for (const row of rows) {
      try {
        const secret = await this.read(row);
        // The next look finds what has taken its place, and must not wait for that.
        if (secret === undefined) continue;
        this.#keys.set(row.kid, deliveredKey(row, secret));
        if (row.state !== "pending") this.#handedOn.add(row.kid);
      } catch (error) {
        // A rotation may not have written the next value yet, or may have given up.
        if (row.state !== "pending") this.#failed(asRefusalOrBug(error));
      }
    }
    if (rows.every(({ kid }) => this.#keys.has(kid))) this.#succeeded();
  }

  async #write(kids: readonly string[], current: string): Promise<boolean> {
    const written = [current, ...kids].join(" ");
    if (written === this.#written) return false;
    // The program signs with the current key alone.
    const keys = kids.map((kid) =>
      keyData(this.#keys.get(kid)!, kid === current ? "signer" : "verifier").jwk
    );
    const bytes = new TextEncoder().encode(`${JSON.stringify({ keys }, null, 2)}\n`);
    try {
      await writeKeys(this.path, bytes);
    } catch (error) {
      this.#failed(asRefusalOrBug(error));
      return false;
    } finally {
      bytes.fill(0);
    }
    [this.#kids, this.#written] = [kids, written];
    return true;
  }

  #forget(kid: string): void {
    this.#keys.delete(kid);
    this.#handedOn.delete(kid);
  }

  #failed(why: RekeyError): void {
    this.#backoff.failed(why);
    if (this.#failure?.code === why.code) return;
    this.#failure = why;
    this.warn(`the file of keys is not up to date: ${why.message}`);
  }

  #succeeded(): void {
    this.#backoff.succeeded();
    this.#failure = undefined;
  }
}
