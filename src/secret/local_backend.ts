import { wasUsed } from "../store/sqlite/was_used.ts";
import type { Backend } from "./backend.ts";

// What changes something is loaded when it is called: most commands only read.
const creating = () => import("./create.ts");
const rotating = () => import("./rotate.ts");
const preparing = () => import("./standby.ts");
const changing = () => import("./local_changes.ts");

/** The backend of a local secret. */
export const LOCAL: Backend = {
  isShared: false,
  planFirst: async (...given) => (await creating()).planLocal(...given),
  rotate: async (...given) => (await rotating()).rotate(...given),
  nextLocation: async (...given) => (await rotating()).nextLocation(...given),
  revoke: async (...given) => (await changing()).revoke(...given),
  rotateKek: async (...given) => (await import("./rotate_kek.ts")).rotateKek(...given),
  setPolicy: async (...given) => (await changing()).changePolicy(...given),
  setUsage: async (...given) => (await changing()).setUsage(...given),
  move: async (...given) => (await import("./move.ts")).relocate(...given),
  remember: (installation) => installation.remember(false),
  wasUsed: ({ database }) => wasUsed(database),
  ensureFresh: () => Promise.resolve(),
  catchUp: () => Promise.resolve(false),
  prepare: async (...given) => (await preparing()).prepare(...given),
  activate: async (...given) => (await preparing()).activate(...given),
  shareEnded: () => Promise.resolve(0),
  untilFollowed: () => Promise.resolve([]),
};
