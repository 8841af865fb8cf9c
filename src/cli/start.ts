import config from "../../deno.json" with { type: "json" };
import { HERE } from "../system/here.ts";
import { main } from "./main.ts";
import { REQUEST_THREAD, requestThread } from "./request_thread.ts";
import { makePrivately } from "./environment.ts";

/** Runs the program on its command line and ends it; or, where a request thread of `serve` begins, that. */
export async function start(): Promise<void> {
  makePrivately();
  if (self.name === REQUEST_THREAD) return requestThread(self);
  HERE.processes.begin();
  // `exit` and not a natural end: a keyring call that never returns would hold the process.
  Deno.exit(await main(Deno.args, config.version));
}
