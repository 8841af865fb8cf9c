import { type ErrorCode, isRekeyError, RekeyError } from "../core/errors.ts";

/** One end of a channel between threads: a `Worker`, or the scope inside one. */
export interface Port {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

// deno-lint-ignore no-explicit-any
type Methods = Record<string, (argument: any) => unknown>;

type RpcMessage =
  | { readonly call: number; readonly method: string; readonly argument: unknown }
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

/** Calls from one thread to another and back. A refusal arrives as the {@linkcode RekeyError} that it was. */
export class Rpc<Theirs extends Methods> {
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #calls = 0;

  /** @param ours the methods that the other end may call. */
  constructor(private readonly port: Port, private readonly ours: Methods) {
    port.onmessage = ({ data }) => this.#receive(data);
  }

  /** Calls a method of the other end. Arguments and results are cloned. */
  call<M extends keyof Theirs & string>(
    method: M,
    argument?: Parameters<Theirs[M]>[0],
  ): Promise<Awaited<ReturnType<Theirs[M]>>> {
    const waiting = Promise.withResolvers<unknown>();
    const call = ++this.#calls;
    this.#waiting.set(call, waiting);
    this.port.postMessage({ call, method, argument });
    return waiting.promise as Promise<Awaited<ReturnType<Theirs[M]>>>;
  }

  #receive(message: RpcMessage): void {
    if ("call" in message) {
      this.#carryOut(message.method, message.argument).then((outcome) =>
        this.port.postMessage({ answer: message.call, ...outcome })
      );
      return;
    }
    const waiting = this.#waiting.get(message.answer);
    this.#waiting.delete(message.answer);
    if ("refusal" in message) waiting?.reject(errorOf(message.refusal));
    else if ("bug" in message) waiting?.reject(Object.assign(new Error(), message.bug));
    else waiting?.resolve(message.result);
  }

  async #carryOut(method: string, argument: unknown) {
    try {
      return { result: await this.ours[method]!(argument) };
    } catch (error) {
      if (!isRekeyError(error)) return { bug: bugOf(error) };
      const { code, message, hint, retryAfter } = error;
      return { refusal: { code, message, hint, retryAfter } };
    }
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
