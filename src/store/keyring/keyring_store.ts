import type { App } from "../../core/app.ts";
import { isRekeyError, type RekeyError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { withAnotherKey } from "./secret_service/session.ts";
import type { KeyringAddon } from "./addon.ts";
import { keyringError, keyringLocked, keyringTimeout, otherKeyring } from "./errors.ts";
import {
  areOfOneKind,
  asksEachConnection,
  type Provider,
  type ProviderKind,
  providerTitle,
} from "./secret_service/provider.ts";
import type { Diagnosis, KeyringState } from "./secret_service/diagnosis.ts";
import type { Saving } from "./secret_service/saving.ts";
import { type SecretStore, type Slot, slotName } from "../../core/secret_store.ts";

/** Default bound on one keyring call, in milliseconds. */
export const KEYRING_TIMEOUT_MS = 3_000;

/**
 * Reads the value of an item in a quicker way than by the addon, within `limit` milliseconds; `undefined` when it is to
 * be asked for by the addon. `meanwhile` is done while it waits.
 */
export type QuickRead = (
  item: { service: string; account: string },
  limit: number,
  meanwhile?: () => void,
) => Promise<string | undefined>;

/** How what was written to the keyring has ended. */
export interface Settled {
  /** Whether it is known to outlive the program that took it. */
  readonly saved: boolean;
  /** The program that has it now, if there is one and it can be told. */
  readonly provider: Provider | undefined;
}

/** The system's own service keeps what it acknowledges, as far as can be told. */
export const SAVED: Settled = { saved: true, provider: undefined };

/** Looks whether the keyring is there and unlocked, within `limit` milliseconds; throws a `keyring_…` code. */
export type Look = (item: { service: string; account: string }, limit: number) => Promise<void>;

// A keyring that answers at all answers in a hundredth of a second, on a machine that is overloaded in a fifth. The
// addon's library, which gives up after two seconds, must still get its turn.
const QUICK_MS = 1_000;

// See `key_agreement.ts`: a value that was opened with the wrong key is another one.
const KEEPING_TRIES = 3;

const PROBE = "rekey has tried whether this keyring works: this item can be deleted";

// The addon's own choice falls back to the kernel's keyutils, which forget at reboot.
const PINNED = { linux: { store: "secret-service" as const } };

/** Values in the OS keyring, each an item of its own: plain base64, which other programs can read. */
export class KeyringStore implements SecretStore {
  readonly location = "keyring";
  #addon: KeyringAddon | undefined;
  #silent: RekeyError | undefined;
  #refusal: RekeyError | undefined;
  #stuck = 0;
  #hasChanged = false;
  #taker: Provider | undefined;
  #usual: ProviderKind | undefined;
  #isOther = false;

  constructor(
    private readonly app: App,
    private readonly load: () => KeyringAddon,
    private readonly timeoutMs = KEYRING_TIMEOUT_MS,
    private readonly readQuickly?: QuickRead,
    private readonly saving?: Saving,
    private readonly look?: Look,
    private readonly diagnose?: Diagnosis,
    private readonly condition?: (service: string, limit: number) => Promise<KeyringState>,
  ) {}

  /** Says which program has the values of the app; `undefined` when that is not known, or none has. */
  expect(usual: ProviderKind | undefined): void {
    this.#usual = usual;
  }

  /** Whether another program than the usual one was last found to answer, without anything of ours. */
  get isOther(): boolean {
    return this.#isOther;
  }

  /** Which program has the values of the app, as far as it is known. */
  get usual(): ProviderKind | undefined {
    return this.#usual;
  }

  /** Whether a value was written or deleted since {@linkcode KeyringStore.settle} was last called. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  /** Who takes what is written; `undefined` when that cannot be told. No keyring but the Secret Service tells. */
  async provider(): Promise<Provider | undefined> {
    return await this.saving?.provider();
  }

  /** Whether a provider saves what it took when it is told to: then {@linkcode KeyringStore.settle} may yet succeed. */
  savesOnDemand(provider: Provider): boolean {
    return this.saving?.savesOnDemand(provider) ?? false;
  }

  /** Has the keyring save what was written, if it does not by itself, and tells whether that was seen. */
  async settle(): Promise<Settled> {
    this.#hasChanged = false;
    if (this.saving === undefined) return SAVED;
    const taker = this.#taker ?? await this.saving.provider();
    if (taker !== undefined && await this.saving.save(taker, this.app.service)) {
      return { saved: true, provider: taker };
    }
    // Another run of it may have taken a part.
    this.#taker = undefined;
    return { saved: false, provider: await this.saving.provider() };
  }

  /** Why the last call that failed did. */
  get lastRefusal(): RekeyError | undefined {
    return this.#refusal;
  }

  /** Asks again, although it did not answer before. */
  retry(): void {
    this.#taker = undefined;
    // The thread of a call that did not end takes no other: see `keyring_thread.ts`.
    if (this.#silent !== undefined) this.#addon = undefined;
    this.#silent = undefined;
  }

  /** Whether a call that was given up has still not ended: its service may be waiting for its user. */
  get isStuck(): boolean {
    return this.#stuck > 0;
  }

  /**
   * Why a call that is under way will take long, if it will: the keyring is locked, or says nothing for so long.
   *
   * @param limit in milliseconds.
   */
  async trouble(limit: number): Promise<RekeyError | undefined> {
    const found = await this.condition?.(this.app.service, limit);
    if (found === "locked") return await this.#diagnosed(keyringLocked());
    return found === "silent" ? await this.#diagnosed(keyringTimeout(), true) : undefined;
  }

  read(slot: Slot, meanwhile?: () => void): Promise<Secret | null> {
    return this.#read(slotName(this.app.account, slot), slot.kid, meanwhile);
  }

  write(slot: Slot, secret: Secret): Promise<void> {
    return this.#write(slotName(this.app.account, slot), secret);
  }

  /** Keeps a value and reads it back; answers `false` when the keyring holds another text instead, or none. */
  async keep(slot: Slot, secret: Secret): Promise<boolean> {
    for (let tries = 0; tries < KEEPING_TRIES; tries++) {
      await this.write(slot, secret);
      if ((await this.#readable(slot))?.equals(secret)) return true;
    }
    return false;
  }

  /** Whether a slot has the value of this kid. A value that is no secret belongs to no version. */
  async holds(slot: Slot, kid: string): Promise<boolean> {
    return (await this.#readable(slot))?.kid === kid;
  }

  remove(slot: Slot): Promise<boolean> {
    return this.#remove(slotName(this.app.account, slot));
  }

  /** What the current version's account holds, whatever version that is; an imported value by its kid only. */
  readPublished(kid?: string): Promise<Secret | null> {
    return this.#read(this.app.account, kid);
  }

  /**
   * Finds out whether the keyring answers for a slot, whatever is there.
   *
   * @throws {RekeyError} a `keyring_…` code when it does not.
   */
  async reach(slot: Slot): Promise<void> {
    await this.#reach(slotName(this.app.account, slot));
  }

  /**
   * Looks whether a slot could be written to now, without unlocking anything or asking anybody.
   *
   * @throws {RekeyError} a `keyring_…` code when it could not.
   */
  async mustBeReady(slot: Slot): Promise<void> {
    await this.#mustBeReady(slotName(this.app.account, slot));
  }

  /**
   * Writes, reads and deletes a value of no meaning: nothing less tells whether a keyring works. Where the deletion would
   * be a question to its user, the first value that is written has to tell.
   *
   * @throws {RekeyError} a `keyring_…` code when it does not.
   */
  async probe(): Promise<void> {
    const account = `${this.app.account}.probe`;
    const provider = await this.saving?.provider();
    if (provider !== undefined && asksEachConnection(provider.kind)) {
      return await this.#mustBeReady(account);
    }
    // A provider may keep what was deleted: it is nothing that could be taken for a secret.
    await this.#call(account, (entry, signal) => entry.setPassword(PROBE, signal));
    const read = await this.#get(account);
    await this.#remove(account);
    if (read !== PROBE) {
      throw keyringError(new Error("The keyring did not keep a value"));
    }
  }

  /** The note that rekey keeps beside the values (see `secret/keyring_note.ts`); no secret. */
  readNote(): Promise<string | null> {
    return this.#get(this.#noteAccount);
  }

  async writeNote(note: string): Promise<void> {
    await this.#call(this.#noteAccount, (entry, signal) => entry.setPassword(note, signal));
  }

  removeNote(): Promise<boolean> {
    return this.#remove(this.#noteAccount);
  }

  get #noteAccount(): string {
    return `${this.app.account}.rekey`;
  }

  async #reach(account: string): Promise<void> {
    try {
      await this.#get(account);
    } catch (error) {
      if (!isRekeyError(error, "secret_damaged")) throw error;
    }
  }

  async #mustBeReady(account: string): Promise<void> {
    if (this.look === undefined) return await this.#reach(account);
    if (this.#silent !== undefined) throw this.#silent;
    try {
      await this.look({ service: this.app.service, account }, this.timeoutMs);
    } catch (error) {
      throw isRekeyError(error) ? await this.#diagnosed(error) : error;
    }
  }

  async #readable(slot: Slot): Promise<Secret | null> {
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

  async #write(account: string, secret: Secret): Promise<void> {
    await this.#changes();
    if (this.#usual !== undefined) await this.#mustBeUsual(account);
    await this.#call(account, (entry, signal) => entry.setPassword(secret.reveal(), signal));
  }

  async #remove(account: string): Promise<boolean> {
    const before = this.#hasChanged;
    await this.#changes();
    const removed = await this.#call(account, (entry, signal) => entry.deletePassword(signal));
    if (!removed) this.#hasChanged = before;
    return removed;
  }

  // Who takes it is asked before: one that is started meanwhile would be asked to save what it never had.
  async #changes(): Promise<void> {
    this.#hasChanged = true;
    this.#taker ??= await this.saving?.provider();
  }

  // What is not simply there is the addon's to find out, in the time that is left.
  async #get(account: string, meanwhile?: () => void): Promise<string | null> {
    const start = performance.now();
    if (this.readQuickly !== undefined && this.#silent === undefined) {
      const item = { service: this.app.service, account };
      const limit = Math.min(QUICK_MS, this.timeoutMs / 2);
      const value = await this.readQuickly(item, limit, meanwhile);
      if (value !== undefined) return value;
    }
    const left = this.timeoutMs - (performance.now() - start);
    const value = await this.#call(account, (entry, signal) => entry.getPassword(signal), left);
    if (value === null) await this.#mustBeUsual(account);
    return value;
  }

  // Another program that the session has started has nothing of ours: it must not be taken for a keyring that lost it,
  // nor be given another secret. One that its user has copied the items to has the current value.
  async #mustBeUsual(account: string): Promise<void> {
    const usual = this.#usual;
    this.#isOther = false;
    if (usual === undefined) return;
    const provider = await this.saving?.provider();
    if (provider === undefined || areOfOneKind(usual, provider.kind)) return;
    this.#usual = undefined;
    const isHere = account !== this.app.account && await this.#get(this.app.account) !== null;
    if (isHere) return;
    this.#usual = usual;
    this.#isOther = true;
    throw this.#refusal = otherKeyring(providerTitle(usual), providerTitle(provider.kind));
  }

  // A stopped service, or one that waits for its user, blocks the call for ever: the deadline lets the
  // program go on and leave, and the signal drops what has not begun.
  async #call<T>(
    account: string,
    call: (entry: InstanceType<KeyringAddon["AsyncEntry"]>, signal: AbortSignal) => Promise<T>,
    timeoutMs = this.timeoutMs,
  ): Promise<T> {
    // It did not answer: each further call would wait as long, and a command makes a dozen.
    if (this.#silent !== undefined) throw this.#silent;
    const { AsyncEntry, ready } = this.#addon ??= this.load();
    await ready?.();
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(keyringTimeout()), timeoutMs);
    });
    const attempt = () => call(new AsyncEntry(this.app.service, account, PINNED), abort.signal);
    try {
      return await Promise.race([this.#counted(withAnotherKey(attempt)), deadline]);
    } catch (error) {
      const found = isRekeyError(error) ? error : keyringError(error);
      const refusal = await this.#diagnosed(found);
      if (found.code === "keyring_timeout") this.#silent = refusal;
      throw this.#refusal = refusal;
    } finally {
      clearTimeout(timer);
      abort.abort();
      deadline.catch(() => {});
    }
  }

  async #diagnosed(error: RekeyError, isSilent = false): Promise<RekeyError> {
    return await this.diagnose?.(error, isSilent) ?? error;
  }

  #counted<T>(call: Promise<T>): Promise<T> {
    this.#stuck++;
    return call.finally(() => this.#stuck--);
  }
}
