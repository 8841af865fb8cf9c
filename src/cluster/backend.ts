import { ENDS, EVENTS } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { catchUp } from "./catch_up.ts";
import { lacking } from "./replica.ts";
import { untilFollowed } from "./members.ts";
import { shareEnded } from "./ended_sessions.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import type { Backend, PolicyChange } from "../secret/backend.ts";
import { rotateKek } from "../secret/rotate_kek.ts";
import { LOCAL } from "../secret/local_backend.ts";
import { usageIsShared } from "../secret/local_changes.ts";
import type { Installation } from "../store/installation.ts";
import { changedPolicy, isSamePolicy, type TokenPolicy } from "../jwt/policy.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { StoreChoice } from "../store/environment.ts";
import { migrateToCluster, planShared } from "./share.ts";
import { rotateShared } from "./rotate.ts";
import { activateShared, prepareShared } from "./two_phases.ts";
import { baseRevisionOf, changeShared } from "./change.ts";
import { mustBeFollowed } from "../secret/followed.ts";
import { currentOf, retiring } from "./state.ts";
import { propose, retryOnConflict } from "./commit.ts";
import { readSealedState } from "./snapshot.ts";
import { newKek } from "../store/sealed/kek.ts";
import { sealingKek } from "../store/sealed/sealing.ts";
import { currentSlot } from "../core/location.ts";

/** The backend of a database as it is now. */
export function backendOf({ versions }: Installation): Backend {
  return versions.current()?.location === "etcd" ? CLUSTER : LOCAL;
}

/** Whether the next version stays in etcd: the secret is there, and no other location is chosen. */
export function staysShared(installation: Installation, wanted?: StoreChoice): boolean {
  return backendOf(installation).isShared &&
    ["auto", "etcd"].includes(wanted ?? installation.store);
}

// The read that a command makes once, when it begins.
const caughtUp = new WeakMap<Installation, Promise<unknown>>();

/** The backend of a shared secret. Every method may throw `etcd_…` and `fleet_…` codes. */
export const CLUSTER: Backend = {
  isShared: true,
  planFirst: planShared,

  async rotate(installation, options, note) {
    if (staysShared(installation, options.store)) return await rotateShared(installation, options);
    await catchUpToLeave(installation, options.graceMs);
    return await LOCAL.rotate(installation, options, note);
  },

  nextLocation: (installation, wanted, length) =>
    staysShared(installation, wanted)
      ? Promise.resolve("etcd")
      : LOCAL.nextLocation(installation, wanted, length),

  revoke,

  async rotateKek(installation, keyFile) {
    await resealShared(installation, keyFile);
    return await rotateKek(installation, keyFile);
  },

  setPolicy,
  setUsage: (_installation, version) => Promise.reject(usageIsShared(version)),

  async move(installation, to, note) {
    if (to === "etcd") {
      const moved = await migrateToCluster(installation, note);
      await installation.remember(true);
      return moved;
    }
    // A session that ended elsewhere must stay ended.
    await catchUp(installation);
    return await LOCAL.move(installation, to, note);
  },

  remember: (installation) => installation.remember(true),
  wasUsed: () => true,

  async ensureFresh(installation) {
    const { freshness } = installation.environment;
    // A server follows etcd in the background.
    if (freshness !== undefined) return freshness.mustBeFresh(changeOf(installation));
    const asking = caughtUp.get(installation) ?? catchUp(installation);
    caughtUp.set(installation, asking);
    try {
      await asking;
    } catch (error) {
      caughtUp.delete(installation);
      throw error;
    }
  },

  catchUp,
  async prepare(installation, order) {
    if (!staysShared(installation, order.store)) throw preparedElsewhere();
    return await prepareShared(installation, order);
  },

  activate: activateShared,

  async shareEnded(installation, find) {
    const sessions = find(installation, installation.now());
    await shareEnded(installation, sessions);
    return sessions.length;
  },

  async untilFollowed(installation, waitMs) {
    // This machine may not have followed its own change yet.
    await catchUp(installation);
    return await untilFollowed(installation, changeOf(installation), waitMs);
  },
};

function changeOf({ meta }: Installation): number {
  return knownFleet(meta)?.change ?? 0;
}

/**
 * Before a machine leaves the fleet: a session that ended elsewhere must stay ended. A rotation without a grace window
 * ends every session, so it also works without etcd, in an emergency.
 */
async function catchUpToLeave(installation: Installation, graceMs = 0): Promise<void> {
  try {
    await catchUp(installation);
  } catch (error) {
    if (graceMs > 0 || !isRekeyError(error)) throw error;
  }
}

async function revoke(installation: Installation): Promise<Version[]> {
  const open = new Map<number, Version>();
  return await changeShared(installation, ({ state: before, snapshot }) => {
    for (const row of installation.versions.previous()) open.set(row.version, row);
    const now = installation.now();
    const ended = { by: installation.environment.actor, why: ENDS.revoked };
    const state = retiring(before, now, (row) => row.state === "previous", ended);
    // An etcd that was restored from a backup gets this machine's state even if no window is open.
    if (state === before && before === snapshot?.state) return { unchanged: [...open.values()] };
    return {
      state,
      result(followed) {
        mustBeFollowed(followed);
        return [...open.values()];
      },
    };
  });
}

async function setPolicy(
  installation: Installation,
  change: PolicyChange,
  described: (policy: TokenPolicy) => string,
): Promise<TokenPolicy> {
  return await changeShared(installation, ({ state }) => {
    const before = state.policy ?? installation.policy;
    const policy = changedPolicy(before, change(() => before), installation.now());
    const isSame = state.policy !== undefined && isSamePolicy(state.policy, policy);
    if (isSame) return { unchanged: policy };
    return {
      state: { ...state, policy },
      async result(followed) {
        mustBeFollowed(followed);
        const audit = await installation.audit();
        installation.database.transaction(() =>
          audit.append({ event: EVENTS.policyChanged, location: "etcd", reason: described(policy) })
        );
        return policy;
      },
    };
  });
}

/**
 * Seals the shared state and its values under another KEK, unless another machine has done so already: then only this
 * machine's database remains. A machine cannot follow until it has the new KEK too.
 *
 * @param keyFile file of the new KEK.
 * @throws {RekeyError} `usage` without one, `etcd_…`, or `busy` when every attempt met a conflict.
 */
async function resealShared(
  installation: Installation,
  keyFile: string | undefined,
): Promise<void> {
  if (keyFile === undefined) throw ownKey();
  const { app, folders, kek: { run } } = installation.environment;
  const { kek } = await newKek({ file: keyFile, run }, folders.config, app.name);
  const store = await installation.shared();
  await retryOnConflict(async () => {
    const sealed = await readSealedState(store, app.name);
    if (sealed !== undefined && sealingKek(sealed.value) === kek.id) return DONE;
    const { state: before, snapshot: base, added: lost } = await baseRevisionOf(installation);
    const added = new Map<string, string>();
    for (const row of before.versions) {
      const value = base?.values.get(row.kid) ?? lost.get(row.kid);
      if (value === undefined) continue;
      const secret = await store.open(currentSlot(row), value);
      added.set(row.kid, await store.seal(currentSlot(row), secret, kek));
    }
    const versions = before.versions.filter(({ kid }) => added.has(kid));
    if (!added.has(currentOf(before).kid)) throw lacking(currentOf(before));
    const state = { ...before, change: before.change + 1, versions };
    return await propose(installation, { base, state, added, kek }) && DONE;
  });
}

const DONE = true;

function preparedElsewhere(): RekeyError {
  return new RekeyError(
    "usage",
    "Cannot prepare a version outside etcd: machines share the secret",
    {
      hint: "Leave out --store and REKEY_STORE. `rekey store move database` leaves the fleet",
    },
  );
}

function ownKey(): RekeyError {
  return new RekeyError("usage", "Cannot make a KEK here: machines share the secret", {
    hint: "Make a key file, bring it to every machine, and name it by --to-kek-file",
  });
}
