import { type ErrorCode, isRekeyError, RekeyError } from "../core/errors.ts";

/** One end of a channel between threads: a `Worker`, or the scope inside one. */
export interface Port {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

/** The methods of an object in another thread. */
export type Remote<T> = {
  readonly [M in keyof T]: T[M] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never;
};

type RpcMessage =
  | { readonly call: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly answer: number; readonly result: unknown }
  | { readonly answer: number; readonly refusal: RefusalFields }
  | { readonly answer: number; readonly bug: Bug };

interface Bug {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

interface RefusalFields {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  readonly retryAfter: number | undefined;
}

/**
 * Connects two threads, each of which can call the other's methods. Arguments and results are cloned. A thrown
 * {@linkcode RekeyError} is thrown to the caller, any other error as a plain `Error`.
 *
 * @param ours the object whose methods the other end may call.
 * @returns the methods of the other end.
 */
export function connect<Theirs>(port: Port, ours: object): Remote<Theirs> {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let calls = 0;
  port.onmessage = ({ data }: MessageEvent<RpcMessage>) => {
    if ("call" in data) {
      perform(ours, data.method, data.args).then((outcome) =>
        port.postMessage({ answer: data.call, ...outcome })
      );
      return;
    }
    const call = waiting.get(data.answer);
    waiting.delete(data.answer);
    if ("refusal" in data) call?.reject(errorOf(data.refusal));
    else if ("bug" in data) call?.reject(Object.assign(new Error(), data.bug));
    else call?.resolve(data.result);
  };
  const callOf = (method: string) => (...args: unknown[]) => {
    const answer = Promise.withResolvers<unknown>();
    waiting.set(++calls, answer);
    port.postMessage({ call: calls, method, args });
    return answer.promise;
  };
  return new Proxy({}, { get: (_, method) => callOf(String(method)) }) as Remote<Theirs>;
}

async function perform(ours: object, method: string, args: readonly unknown[]) {
  try {
    return {
      result: await (ours as Record<string, (...args: unknown[]) => unknown>)[method]!(...args),
    };
  } catch (error) {
    if (!isRekeyError(error)) return { bug: bugOf(error) };
    const { code, message, hint, retryAfter } = error;
    return { refusal: { code, message, hint, retryAfter } };
  }
}

function bugOf(error: unknown): Bug {
  const { name, message, stack = "" } = error instanceof Error ? error : new Error(String(error));
  return { name, message, stack };
}

function errorOf({ code, message, hint, retryAfter }: RefusalFields): RekeyError {
  return new RekeyError(code, message, {
    ...hint === undefined ? {} : { hint },
    ...retryAfter === undefined ? {} : { retryAfter },
  });
}
