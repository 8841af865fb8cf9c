import { type Version, wasUsed } from "../store/sqlite/versions.ts";
import { RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import type { Backend, BackendAt } from "./backend.ts";
import { planLocal } from "./first_version.ts";
import { endGrace } from "./grace.ts";
import { rotateKek } from "./kek_rotation.ts";
import { setUsage } from "./key_usage.ts";
import { changePolicy } from "./policy_change.ts";
import { recover } from "./recovery.ts";
import { relocate } from "./relocation.ts";
import { nextLocation, rotate } from "./rotate.ts";

/** A secret that is this machine's own. */
export const LOCAL: Backend = {
  isShared: false,
  planFirst: planLocal,
  rotate,
  nextLocation,
  revoke,
  rotateKek,
  setPolicy: changePolicy,
  setUsage,
  move: relocate,
  remember: (installation) => installation.remember(false),
  wasUsed: ({ database }) => wasUsed(database),
  ensureFresh: () => Promise.resolve(),
  catchUp: () => Promise.resolve(false),
  prepare: () => Promise.reject(notShared()),
  activate: () => Promise.reject(notShared()),
  shareEnded: () => Promise.resolve(0),
  untilFollowed: () => Promise.resolve([]),
};

/** For a program that never meets a secret that machines share. */
export const localOnly: BackendAt = (location) => {
  if (location !== "etcd") return LOCAL;
  throw new Error("This SecretManager was made without what machines that share a secret need");
};

async function revoke(installation: Installation): Promise<Version[]> {
  const ended = installation.versions.previous();
  await endGrace(installation, ended, "revoked");
  await recover(installation, "held");
  return ended;
}

function notShared(): RekeyError {
  return new RekeyError(
    "failed",
    "Cannot rotate in two phases: no other machine shares the secret",
    {
      hint: "`rekey rotate` does it at once; `rekey store move etcd` shares it",
    },
  );
}
