import { unrefTimer, within } from "../../core/async.ts";
import type { KeyringAddon } from "./addon.ts";
import { entriesBy, type EntryMethod } from "./addon_thread.ts";
import { keyringRefusal } from "./errors.ts";
import { type ErrorCode, RekeyError } from "../../core/errors.ts";
import { kill } from "../../system/processes.ts";

/** A call of the addon, as a line of JSON on the helper's stdin. */
export interface KeyringCall {
  readonly id: number;
  /** The arguments of the addon's `AsyncEntry`. */
  readonly entry: unknown[];
  readonly method: EntryMethod;
  readonly value: unknown[];
}

/** The first line of JSON on the helper's stdout, when it is ready for calls. */
export const READY = { ready: true } as const;

/** The result of a call, as a line of JSON on the helper's stdout. */
export type KeyringAnswer =
  & { readonly id: number }
  & (
    | { readonly result: unknown }
    | { readonly error: string }
    | { readonly refusal: { code: ErrorCode; message: string; hint: string | undefined } }
  );

/**
 * The addon's entries, with calls made in a helper process, for a server. The addon's D-Bus library waits with select(2),
 * which overflows when a file descriptor is 1,024 or more, as a server's may be. And only the end of a process frees
 * the resources of a call that never returns.
 *
 * An aborted call ends its process; the next call starts another.
 *
 * @param start starts the helper, with pipes for stdin and stdout.
 */
export function keyringInProcess(start: () => Deno.ChildProcess): KeyringAddon {
  let helper: Helper | undefined;

  function usable(): Helper {
    if (helper === undefined || !helper.takesCalls) helper = new Helper(start());
    return helper;
  }

  function ask(
    entry: unknown[],
    method: EntryMethod,
    value: unknown[],
    signal?: AbortSignal | null,
  ): Promise<unknown> {
    return usable().call({ entry, method, value }, signal);
  }

  return { AsyncEntry: entriesBy(ask), ready: () => usable().ready() };
}

/** Timeout for the start of the helper, in milliseconds: an overloaded machine needs seconds. */
const START_MS = 30_000;

/** How long an aborted call may keep its process, in milliseconds. */
const STUCK_MS = 60_000;

class Helper {
  takesCalls = true;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #started = Promise.withResolvers<void>();
  #calls = 0;
  #ended = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly child: Deno.ChildProcess) {
    this.#input = child.stdin.getWriter();
    // However it ends, all waiting calls are rejected.
    this.#read().catch(() => {}).finally(() => this.#end());
  }

  /** Waits until the helper is ready or has failed; then the next call reports why. */
  async ready(): Promise<void> {
    await within(START_MS, this.#started.promise);
  }

  call(call: Omit<KeyringCall, "id">, signal?: AbortSignal | null): Promise<unknown> {
    const id = ++this.#calls;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    signal?.addEventListener("abort", () => {
      if (this.#waiting.has(id)) this.#giveUp(id);
    });
    const line = `${JSON.stringify({ id, ...call } satisfies KeyringCall)}\n`;
    this.#input.write(new TextEncoder().encode(line)).catch(() => this.#end());
    return waiting.promise;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#take(JSON.parse(line));
    }
  }

  #take(answer: KeyringAnswer | typeof READY): void {
    if ("ready" in answer) return this.#started.resolve();
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("result" in answer) waiting?.resolve(answer.result);
    else if ("error" in answer) waiting?.reject(new Error(answer.error));
    else {
      const { code, message, hint } = answer.refusal;
      waiting?.reject(new RekeyError(code, message, hint === undefined ? {} : { hint }));
    }
    if (!this.takesCalls && this.#waiting.size === 0) this.#end();
  }

  // The service may be waiting for its user: ending the process now would close the prompt. Calls queued behind must not
  // run later.
  #giveUp(stuck: number): void {
    this.takesCalls = false;
    for (const [id, waiting] of this.#waiting) {
      if (id === stuck) continue;
      waiting.reject(keyringRefusal("keyring_timeout"));
      this.#waiting.delete(id);
    }
    this.#timer = setTimeout(() => this.#end(), STUCK_MS);
    unrefTimer(this.#timer);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.takesCalls = false;
    this.#started.resolve();
    clearTimeout(this.#timer);
    this.#input.abort().catch(() => {});
    kill(this.child, "SIGKILL");
    for (const waiting of this.#waiting.values()) {
      waiting.reject(new Error("The process that talks to the keyring has ended"));
    }
    this.#waiting.clear();
  }
}
