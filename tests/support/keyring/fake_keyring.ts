import type { KeyringAddon } from "../../../src/store/keyring/addon.ts";

/** What a keyring does wrong at one call; the real one cannot be made to on demand. */
export type Fault = "none" | "fail" | "hang" | "drop write" | "fail after";

/**
 * A keyring in memory that does one thing wrong at the n-th call, with the texts of the real addon. Only
 * for faults: everything else is tested with a real keyring.
 */
export class FakeKeyring {
  readonly items = new Map<string, string>();
  calls = 0;
  faultAt = 0;
  fault: Fault = "none";

  /** The values by account: everything but rekey's note. */
  get values(): [string, string][] {
    return [...this.items].filter(([account]) => !account.endsWith(".rekey"));
  }

  /** Sets what goes wrong at the n-th call from now. */
  break(fault: Fault, n: number): void {
    this.calls = 0;
    this.fault = fault;
    this.faultAt = n;
  }

  /** What a store loads in place of the addon. */
  addon(): KeyringAddon {
    // deno-lint-ignore no-this-alias
    const keyring = this;
    class AsyncEntry {
      constructor(_service: string, readonly account: string) {}
      getPassword = () => keyring.#call(() => keyring.items.get(this.account) ?? null);
      setPassword = (value: string) =>
        keyring.#call(() => void keyring.items.set(this.account, value), "drop write");
      deletePassword = () => keyring.#call(() => keyring.items.delete(this.account));
    }
    return { AsyncEntry } as unknown as KeyringAddon;
  }

  async #call<T>(act: () => T, drops?: Fault): Promise<T> {
    this.calls++;
    // A write that was dropped once is made again: this fault lasts.
    const now = drops !== undefined && this.fault === drops
      ? this.calls >= this.faultAt && this.faultAt > 0
      : this.calls === this.faultAt;
    const fault = now ? this.fault : "none";
    if (fault === "fail") throw new Error("Secret Service: unlock prompt was dismissed");
    if (fault === "hang") return await new Promise(() => {});
    if (fault === drops) return undefined as T;
    const result = act();
    if (fault === "fail after") throw new Error("DBus error: Did not receive a reply");
    return result;
  }
}
