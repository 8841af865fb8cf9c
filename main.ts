import config from "./deno.json" with { type: "json" };
import { main } from "./src/cli/main.ts";
import { REQUEST_THREAD, requestThread } from "./src/cli/request_thread.ts";

// Everything that rekey makes is its user's alone, whatever the shell's umask is.
if (Deno.build.os !== "windows") Deno.umask(0o077);

if (self.name === REQUEST_THREAD) {
  // One of the threads of `rekey serve`.
  requestThread(self);
} else {
  // A limit on the size of files (ulimit -f) is to be an error in words and not the end in mid-write.
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGXFSZ", () => {});

  // `exit` and not a natural end: a keyring call that never returns would hold the process.
  Deno.exit(await main(Deno.args, config.version));
}
