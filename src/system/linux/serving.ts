import type { Serving } from "../serving.ts";
import { disableCoreDumps, setNotDumpable } from "./no_core_dumps.ts";
import { raiseFileLimit } from "../unix/file_limit.ts";
import { listeningSockets, stopListening } from "./listening_sockets.ts";

/** A server on Linux. */
export const linuxServing: Serving = {
  hasUnixSockets: true,
  sharesPorts: true,
  disableCoreDumps,
  setNotDumpable,
  raiseFileLimit: () => raiseFileLimit({ library: "libc.so.6", resource: 7, most: 2n ** 64n - 1n }),
  listeningSockets,
  stopListening,
};
