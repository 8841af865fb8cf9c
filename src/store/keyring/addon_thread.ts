import type { AsyncEntry } from "@napi-rs/keyring";

/** A method of the addon's entries. */
export type EntryMethod = "getPassword" | "setPassword" | "deletePassword";

/** Makes a call elsewhere. `entry` are the arguments of the addon's `AsyncEntry`. */
export type AskEntry = (
  entry: unknown[],
  method: EntryMethod,
  value: unknown[],
  signal?: AbortSignal | null,
) => Promise<unknown>;

/** A class like the addon's `AsyncEntry` whose calls `ask` makes. */
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

// The thread's program: loads the addon, then makes the calls. It is a string, so that the bundle stays one file.
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
 * The addon's entries, with calls made on a thread of their own. Deno before 2.9 runs an addon's asynchronous work on
 * the calling thread: on the main thread, a keyring that waits for its user would stop all timers, the call's own
 * timeout among them.
 *
 * After an aborted call the thread takes no more: calls queued behind it must not run later.
 *
 * @param unloadable makes the error of a call when the addon cannot be loaded.
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
  worker.onmessage = ({ data }: MessageEvent<ThreadAnswer>) => {
    const call = waiting.get(data.id);
    waiting.delete(data.id);
    if (call !== undefined) settle(call, data, unloadable);
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

/** What the thread says about a call. */
interface ThreadAnswer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
  /** Why the addon could not be loaded. */
  readonly broken?: string;
}

function settle(
  call: PromiseWithResolvers<unknown>,
  { result, error, broken }: ThreadAnswer,
  unloadable: (cause: unknown) => Error,
): void {
  if (broken !== undefined) call.reject(unloadable(new Error(broken)));
  else if (error !== undefined) call.reject(new Error(error));
  else call.resolve(result);
}
