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

// The thread's program: loads the addon, then makes one call after the other. It is text and no module of
// its own, so that the bundle stays one file.
const PROGRAM = `
  import process from "node:process";
  const addon = { exports: {} };
  let givenUp, broken;
  const load = (path, flag) => {
    givenUp = flag;
    try { process.dlopen(addon, path); } catch (error) { broken = error.message; }
  };
  const call = async ({ id, entry, method, value }) => {
    if (Atomics.load(givenUp, 0)) return leave({ id, error: "An earlier call timed out" });
    if (broken !== undefined) return self.postMessage({ id, broken });
    try {
      const found = new addon.exports.AsyncEntry(...entry);
      self.postMessage({ id, result: await found[method](...value) });
    } catch (error) {
      self.postMessage({ id, error: error.message });
    }
    if (Atomics.load(givenUp, 0)) leave();
  };
  const leave = (answer) => {
    if (answer) self.postMessage(answer);
    setTimeout(() => self.close(), 1000);
  };
  self.onmessage = ({ data }) => data.path ? load(data.path, data.givenUp) : call(data);
`;

/**
 * The addon's entries, with each call made on a thread of its own. Deno before 2.9 runs an addon's asynchronous work on
 * the thread that asks for it: on the main one a keyring that waits for its user would stop every timer,
 * the deadline of the call among them.
 *
 * A call that is aborted before it has ended is the last one: what waits behind it must not be carried out
 * later, when nobody counts on it any more.
 *
 * @param unloadable makes the error of a call when the addon could not be loaded.
 */
export function entriesOnThread(
  path: string,
  unloadable: (cause: unknown) => Error,
): typeof AsyncEntry {
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(PROGRAM)}`, {
    type: "module",
  });
  const givenUp = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let calls = 0;
  worker.onmessage = ({ data: { id, result, error, broken } }) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (broken !== undefined) call?.reject(unloadable(new Error(broken)));
    else if (error !== undefined) call?.reject(new Error(error));
    else call?.resolve(result);
  };
  worker.postMessage({ path, givenUp });

  function ask(
    entry: unknown[],
    method: EntryMethod,
    value: unknown[],
    signal?: AbortSignal | null,
  ) {
    const call = Promise.withResolvers<unknown>();
    if (Atomics.load(givenUp, 0)) return Promise.reject(new Error("An earlier call timed out"));
    const id = ++calls;
    waiting.set(id, call);
    signal?.addEventListener("abort", () => {
      if (waiting.has(id)) Atomics.store(givenUp, 0, 1);
    });
    worker.postMessage({ id, entry, method, value });
    return call.promise;
  }

  return entriesBy(ask);
}
