import type { App } from "../../core/app.ts";
import type { MaybeAsync } from "../../core/async.ts";
import { isRekeyError, type RekeyError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { type SecretStore, type Slot, slotName } from "../../core/location.ts";
import type { KeyringAddon } from "./addon.ts";
import { KeyringCalls } from "./calls.ts";
import type { KeyringPlatform } from "./platform.ts";
import {
  asksEachConnection,
  type Provider,
  type ProviderKind,
  providerTitle,
  shareItems,
} from "./secret_service/provider.ts";

/** Whether the keyring has saved what was written. */
export interface Settled {
  /** Whether the values are known to outlive the provider. */
  readonly saved: boolean;
  /** The provider that holds them now, if known. */
  readonly provider: Provider | undefined;
}

/** The result for keyrings that save before they answer: all but the Secret Service. */
export const SAVED: Settled = { saved: true, provider: undefined };

// See `calls.ts`: a value that was opened with the wrong key reads back differently.
const KEEPING_TRIES = 3;

const PROBE = "rekey has tried whether this keyring works: this item can be deleted";

/** Values in the OS keyring, each in an item of its own: plain base64, which other programs can read. */
export class KeyringStore implements SecretStore {
  readonly location = "keyring";
  readonly #calls: KeyringCalls;
  #hasChanged = false;
  #writtenTo: Provider | undefined;
  #expected: ProviderKind | undefined;
  #isOther = false;

  constructor(
    private readonly app: App,
    load: () => MaybeAsync<KeyringAddon>,
    timeoutMs?: number,
    private readonly platform: Omit<KeyringPlatform, "load"> = {},
  ) {
    this.#calls = new KeyringCalls(app.service, load, timeoutMs, platform);
  }

  /** Sets which provider holds the app's values; `undefined` when unknown, or none does. */
  expect(kind: ProviderKind | undefined): void {
    this.#expected = kind;
  }

  /** The provider that holds the app's values, if known. */
  get usual(): ProviderKind | undefined {
    return this.#expected;
  }

  /** Whether the last read met another provider than the expected one, without rekey's values. */
  get isOther(): boolean {
    return this.#isOther;
  }

  /** Most characters of a value that an item holds. */
  get longestValue(): number {
    return this.platform.longestValue ?? Infinity;
  }

  /** Whether an item can hold a value. @param length in characters. */
  fits(length: number): boolean {
    return length <= this.longestValue;
  }

  /** Whether a value was written or deleted since the last {@linkcode KeyringStore.settle}. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  /** The provider that takes writes now; `undefined` when unknown, as for all keyrings but the Secret Service. */
  async provider(): Promise<Provider | undefined> {
    return await this.platform.saving?.provider();
  }

  /** Whether a provider can be told to save: then {@linkcode KeyringStore.settle} may still succeed. */
  savesOnDemand(provider: Provider): boolean {
    return this.platform.saving?.savesOnDemand(provider) ?? false;
  }

  /** Has the keyring save what was written, and returns whether it was seen to. */
  async settle(): Promise<Settled> {
    this.#hasChanged = false;
    if (this.platform.saving === undefined) return SAVED;
    const provider = this.#writtenTo ?? await this.platform.saving.provider();
    if (provider !== undefined && await this.platform.saving.save(provider, this.app.service)) {
      return { saved: true, provider };
    }
    // A restarted provider may have taken a part of the writes.
    this.#writtenTo = undefined;
    return { saved: false, provider: await this.platform.saving.provider() };
  }

  /** Why the last failed call failed. */
  get lastRefusal(): RekeyError | undefined {
    return this.#calls.lastError;
  }

  /** Allows calls again after one has timed out. */
  retry(): void {
    this.#writtenTo = undefined;
    this.#calls.retry();
  }

  /** Whether a call that timed out is still running: the service may wait for its user. */
  get isStuck(): boolean {
    return this.#calls.isStuck;
  }

  /** See {@linkcode KeyringCalls.trouble}. */
  trouble(limit: number): Promise<RekeyError | "open" | "unknown"> {
    return this.#calls.trouble(limit);
  }

  read(slot: Slot, meanwhile?: () => void): Promise<Secret | null> {
    return this.#read(this.#account(slot), slot.kid, meanwhile);
  }

  async write(slot: Slot, secret: Secret): Promise<void> {
    const account = this.#account(slot);
    await this.#willChange();
    if (this.#expected !== undefined) await this.#mustBeExpected(account);
    await this.#calls.set(account, secret.reveal());
  }

  /** Writes a value and reads it back. Returns `false` when the keyring holds another text instead, or none. */
  async keep(slot: Slot, secret: Secret): Promise<boolean> {
    for (let tries = 0; tries < KEEPING_TRIES; tries++) {
      await this.write(slot, secret);
      if ((await this.#readIfSecret(slot))?.equals(secret)) return true;
    }
    return false;
  }

  /** Whether a slot holds the value of this kid. */
  async holds(slot: Slot, kid: string): Promise<boolean> {
    return (await this.#readIfSecret(slot))?.kid === kid;
  }

  remove(slot: Slot): Promise<boolean> {
    return this.#remove(this.#account(slot));
  }

  /** The value under the current version's account, of whatever version; an imported value by its kid only. */
  readPublished(kid?: string): Promise<Secret | null> {
    return this.#read(this.app.account, kid);
  }

  /** Checks that the keyring answers for a slot, whatever its value. @throws {RekeyError} a `keyring_…` code. */
  async reach(slot: Slot): Promise<void> {
    await this.#reach(this.#account(slot));
  }

  /** Checks that a slot could be written now, without a prompt. @throws {RekeyError} a `keyring_…` code. */
  async mustBeReady(slot: Slot): Promise<void> {
    await this.#mustBeReady(this.#account(slot));
  }

  /** As {@linkcode KeyringStore.reach}, for a slot without a value: it could also be written now, without a prompt. */
  async mustTake(slot: Slot): Promise<void> {
    await this.reach(slot);
    await this.mustBeReady(slot);
  }

  /**
   * Writes, reads and deletes a test value: only this shows that a keyring works. A provider that would ask its user
   * about each step is only checked for readiness.
   *
   * @throws {RekeyError} a `keyring_…` code when the keyring does not work.
   */
  async probe(): Promise<void> {
    const account = `${this.app.account}.probe`;
    const provider = await this.provider();
    if (provider !== undefined && asksEachConnection(provider.kind)) {
      return await this.#mustBeReady(account);
    }
    // A provider may keep deleted values: this one cannot be mistaken for a secret.
    await this.#calls.set(account, PROBE);
    const read = await this.#get(account);
    await this.#remove(account);
    if (read === PROBE) return;
    const { keyringError } = await import("./errors.ts");
    throw keyringError(new Error("The keyring did not keep a value"));
  }

  /** The note that rekey keeps beside the values (see `secret/keyring/reconcile.ts`); not secret. */
  readNote(): Promise<string | null> {
    return this.#get(this.#noteAccount);
  }

  async writeNote(note: string): Promise<void> {
    await this.#calls.set(this.#noteAccount, note);
  }

  removeNote(): Promise<boolean> {
    return this.#remove(this.#noteAccount);
  }

  get #noteAccount(): string {
    return `${this.app.account}.rekey`;
  }

  #account(slot: Slot): string {
    return slotName(this.app.account, slot);
  }

  async #reach(account: string): Promise<void> {
    try {
      await this.#get(account);
    } catch (error) {
      if (!isRekeyError(error, "secret_damaged")) throw error;
    }
  }

  async #mustBeReady(account: string): Promise<void> {
    if (this.platform.look === undefined) return await this.#reach(account);
    await this.#calls.mustBeReady(account);
  }

  async #readIfSecret(slot: Slot): Promise<Secret | null> {
    try {
      return await this.read(slot);
    } catch (error) {
      if (isRekeyError(error, "secret_damaged")) return null;
      throw error;
    }
  }

  async #read(account: string, kid?: string, meanwhile?: () => void): Promise<Secret | null> {
    const value = await this.#get(account, meanwhile);
    return value === null ? null : Secret.parse(value, kid);
  }

  async #remove(account: string): Promise<boolean> {
    const before = this.#hasChanged;
    await this.#willChange();
    const removed = await this.#calls.remove(account);
    if (!removed) this.#hasChanged = before;
    return removed;
  }

  // Finds the provider before the write: one that starts in between must not be asked to save what it never had.
  async #willChange(): Promise<void> {
    this.#hasChanged = true;
    this.#writtenTo ??= await this.provider();
  }

  async #get(account: string, meanwhile?: () => void): Promise<string | null> {
    const value = await this.#calls.get(account, meanwhile);
    if (value === null) await this.#mustBeExpected(account);
    return value;
  }

  // Another provider that the session has started is not a keyring that lost the secret, and must not be given a new
  // one. A provider that the user has copied the items to has the current value, and is accepted.
  async #mustBeExpected(account: string): Promise<void> {
    const expected = this.#expected;
    this.#isOther = false;
    if (expected === undefined) return;
    const provider = await this.provider();
    if (provider === undefined || shareItems(expected, provider.kind)) return;
    this.#expected = undefined;
    if (account !== this.app.account && await this.#get(this.app.account) !== null) return;
    this.#expected = expected;
    this.#isOther = true;
    const { otherKeyring } = await import("./errors.ts");
    const error = otherKeyring(providerTitle(expected), providerTitle(provider.kind));
    this.#calls.lastError = error;
    throw error;
  }
}
