import type { MaybeAsync } from "../../core/async.ts";
import { isRekeyError, type RekeyError } from "../../core/errors.ts";
import type { KeyringAddon } from "./addon.ts";
import type { KeyringCode } from "./codes.ts";
import { KEYRING_TIMEOUT_MS, type KeyringPlatform } from "./platform.ts";

/** A working keyring answers in 10 ms, or 200 ms on an overloaded machine. Leaves the addon time for its own two seconds. */
const QUICK_MS = 1_000;

// Without it, the addon falls back to the kernel's keyutils, which lose everything at a reboot.
const PINNED = { linux: { store: "secret-service" as const } };

// What a failure means, and what to do then, is loaded after one.
const errors = () => import("./errors.ts");

type Entry = InstanceType<KeyringAddon["AsyncEntry"]>;

/** The calls to the OS keyring under one service name: each has a deadline, and a failure says what to do. */
export class KeyringCalls {
  #addon: Promise<KeyringAddon> | undefined;
  #timeout: RekeyError | undefined;
  #running = 0;
  lastError: RekeyError | undefined;

  constructor(
    private readonly service: string,
    private readonly load: () => MaybeAsync<KeyringAddon>,
    private readonly timeoutMs: number = KEYRING_TIMEOUT_MS,
    private readonly platform: Omit<KeyringPlatform, "load"> = {},
  ) {}

  /** Whether a call that timed out is still running: the service may wait for its user. */
  get isStuck(): boolean {
    return this.#running > 0;
  }

  /** Allows calls again after one has timed out. */
  retry(): void {
    // The thread of a call that timed out takes no other: see `addon_thread.ts`.
    if (this.#timeout !== undefined) this.#addon = undefined;
    this.#timeout = undefined;
  }

  /** The value of an item. Tries the quick way first, then the addon in the time that is left. */
  async get(account: string, meanwhile?: () => void): Promise<string | null> {
    const start = performance.now();
    const { readQuickly } = this.platform;
    if (readQuickly !== undefined && this.#timeout === undefined) {
      const limit = Math.min(QUICK_MS, this.timeoutMs / 2);
      const value = await readQuickly({ service: this.service, account }, limit, meanwhile);
      if (value !== undefined) return value;
    }
    const left = this.timeoutMs - (performance.now() - start);
    return await this.#call(account, (entry, signal) => entry.getPassword(signal), left);
  }

  set(account: string, value: string): Promise<void> {
    return this.#call(account, (entry, signal) => entry.setPassword(value, signal));
  }

  /** Returns whether the item existed, or may have. */
  async remove(account: string): Promise<boolean> {
    let calls = 0;
    const existed = await this.#call(account, (entry, signal) => {
      calls++;
      return entry.deletePassword(signal);
    });
    // A first call without an answer may have deleted it.
    return existed || calls > 1;
  }

  /** Checks that an item could be written now, without a prompt. @throws {RekeyError} a `keyring_…` code. */
  async mustBeReady(account: string): Promise<void> {
    if (this.#timeout !== undefined) throw this.#timeout;
    try {
      await this.platform.look?.({ service: this.service, account }, this.timeoutMs);
    } catch (error) {
      throw isRekeyError(error) ? await this.#diagnosed(error) : error;
    }
  }

  /**
   * Why a running call will take long, if it will: the keyring is locked or does not answer.
   *
   * @param limit time to answer, in milliseconds.
   */
  async trouble(limit: number): Promise<RekeyError | "open" | "unknown"> {
    const state = await this.platform.condition?.(this.service, limit) ?? "unknown";
    if (state === "locked") return await this.#refused("keyring_locked");
    return state === "silent" ? await this.#refused("keyring_timeout") : state;
  }

  // A service that is stopped, or waits for its user, may never answer. The deadline lets the program continue, and the
  // signal drops calls that have not begun.
  async #call<T>(
    account: string,
    work: (entry: Entry, signal: AbortSignal) => Promise<T>,
    timeoutMs = this.timeoutMs,
  ): Promise<T> {
    // Each further call would wait as long, and a command makes a dozen.
    if (this.#timeout !== undefined) throw this.#timeout;
    const { AsyncEntry, ready } = await (this.#addon ??= this.#loaded());
    await ready?.();
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("The call timed out")), timeoutMs);
    });
    const attempt = () => work(new AsyncEntry(this.service, account, PINNED), abort.signal);
    try {
      const call = asLongAs(abort.signal, () => withAnotherKey(attempt));
      return await Promise.race([this.#counted(call), deadline]);
    } catch (error) {
      const found = await refusalOf(error);
      this.lastError = await this.#diagnosed(found);
      if (found.code === "keyring_timeout") this.#timeout = this.lastError;
      throw this.lastError;
    } finally {
      clearTimeout(timer);
      abort.abort();
      deadline.catch(() => {});
    }
  }

  // Once for all calls, but again after a failure.
  async #loaded(): Promise<KeyringAddon> {
    try {
      // Not at once: what fails at once would be kept.
      return await Promise.resolve().then(() => this.load());
    } catch (error) {
      this.#addon = undefined;
      throw error;
    }
  }

  async #refused(code: KeyringCode): Promise<RekeyError> {
    const { keyringRefusal } = await errors();
    return await this.#diagnosed(keyringRefusal(code), code === "keyring_timeout");
  }

  async #diagnosed(error: RekeyError, isSilent = false): Promise<RekeyError> {
    return await this.platform.diagnose?.(error, isSilent) ?? error;
  }

  #counted<T>(call: Promise<T>): Promise<T> {
    this.#running++;
    return call.finally(() => this.#running--);
  }
}

// The addon waits two seconds for each answer of a service, whatever time its user has given to rekey. A service that
// writes to a busy disk takes longer. Each call may be made twice: a write has the same value.
const ADDON_MS = 1_900;

/** Repeats a keyring call that ended because the service did not answer the addon, until the signal is aborted. */
async function asLongAs<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    const start = performance.now();
    try {
      return await attempt();
    } catch (error) {
      // What refuses to be asked again, such as a helper behind a stuck call, is no answer of the addon.
      const isSlow = !isRekeyError(error) && performance.now() - start >= ADDON_MS;
      if (!isSlow || await codeOf(error) !== "keyring_timeout" || signal.aborted) throw error;
    }
  }
}

const codeOf = async (error: unknown) => (await refusalOf(error)).code;

async function refusalOf(error: unknown): Promise<RekeyError> {
  return isRekeyError(error) ? error : (await errors()).keyringError(error);
}

// KWallet before 6.25 derives a wrong key when the shared number begins with a zero byte, and refuses public keys that
// do, which the addon's library sends. One call in 128 fails so, without effect. One write in 65,536 is decrypted with
// the wrong key, and a wrong value is stored.
const WRONG_KEY = /public key size is invalid|can't find session|crypto error|unpad/i;
const KEY_TRIES = 6;

/**
 * Repeats a keyring call that failed because of the negotiated key.
 *
 * @param attempt makes the call on a new connection, with new keys.
 */
export async function withAnotherKey<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1;; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === KEY_TRIES || !(error instanceof Error && WRONG_KEY.test(error.message))) {
        throw error;
      }
    }
  }
}
