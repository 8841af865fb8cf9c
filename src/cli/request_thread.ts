import type { Port } from "../serve/rpc.ts";
import { environmentFrom, type GlobalOptions } from "./context.ts";

/** Name of the threads that answer requests; `main.ts` recognises them by it. */
export const REQUEST_THREAD = "rekey request thread";

/** Starts a request thread: the same program, whose first message is the global flags. */
export function startRequestThread(globals: GlobalOptions): Worker {
  const worker = new Worker(Deno.mainModule, { type: "module", name: REQUEST_THREAD });
  worker.postMessage(globals);
  return worker;
}

/** Runs in a request thread. @param scope the thread's global object. */
export function requestThread(scope: object): void {
  const port = scope as Port;
  const waiting: unknown[] = [];
  // Messages that arrive while the server is loading are kept.
  port.onmessage = ({ data }) => waiting.push(data);
  import("../serve/request_thread.ts").then(({ RequestThread }) => {
    const begin = (globals: unknown) => {
      new RequestThread(environmentFrom(globals as GlobalOptions), port);
      waiting.forEach((data) => port.onmessage!(new MessageEvent("message", { data })));
    };
    if (waiting.length > 0) begin(waiting.shift());
    else port.onmessage = ({ data }) => begin(data);
  });
}
