import type { Port } from "../serve/rpc.ts";
import { environmentFrom, type GlobalOptions } from "./context.ts";

/** Name of the threads that answer requests: `main.ts` knows by it where it runs. */
export const REQUEST_THREAD = "rekey request thread";

/** Starts such a thread: the same program once more, which is told the command's flags first of all. */
export function startRequestThread(globals: GlobalOptions): Worker {
  const worker = new Worker(Deno.mainModule, { type: "module", name: REQUEST_THREAD });
  worker.postMessage(globals);
  return worker;
}

/** What the program does in such a thread. @param scope the thread's own. */
export function requestThread(scope: object): void {
  const port = scope as Port;
  const waiting: unknown[] = [];
  // Nothing of what arrives while the server is loaded may be lost.
  port.onmessage = ({ data }) => waiting.push(data);
  import("../serve/worker.ts").then(({ RequestThread }) => {
    const begin = (globals: unknown) => {
      new RequestThread(environmentFrom(globals as GlobalOptions), port);
      waiting.forEach((data) => port.onmessage!(new MessageEvent("message", { data })));
    };
    if (waiting.length > 0) begin(waiting.shift());
    else port.onmessage = ({ data }) => begin(data);
  });
}
