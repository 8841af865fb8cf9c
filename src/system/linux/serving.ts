import type { Serving } from "../serving.ts";
import { confineMemory, hideMemory } from "./confinement.ts";
import { listeningSockets, stopListening } from "./listening_sockets.ts";

/** A server on Linux. */
export const linuxServing: Serving = {
  hasUnixSockets: true,
  sharesPorts: true,
  confineMemory,
  hideMemory,
  listeningSockets,
  stopListening,
};
