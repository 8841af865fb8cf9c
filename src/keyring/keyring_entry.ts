import type { AsyncEntry } from "@napi-rs/keyring";

/** What an entry of the addon can be asked. */
export type EntryMethod = "getPassword" | "setPassword" | "deletePassword";

/** Carries a call out somewhere else: on the entry that `entry` are the arguments of. */
export type AskEntry = (
  entry: unknown[],
  method: EntryMethod,
  value: unknown[],
  signal?: AbortSignal | null,
) => Promise<unknown>;

/** The addon's class of entries, with each call carried out by `ask`. */
export function entriesBy(ask: AskEntry): typeof AsyncEntry {
  class Entry {
    readonly #entry: unknown[];

    constructor(...entry: unknown[]) {
      this.#entry = entry;
    }

    getPassword(signal?: AbortSignal) {
      return ask(this.#entry, "getPassword", [], signal);
    }

    setPassword(value: string, signal?: AbortSignal) {
      return ask(this.#entry, "setPassword", [value], signal);
    }

    deletePassword(signal?: AbortSignal) {
      return ask(this.#entry, "deletePassword", [], signal);
    }
  }
  return Entry as unknown as typeof AsyncEntry;
}
