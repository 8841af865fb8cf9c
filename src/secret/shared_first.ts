import { EVENTS } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { propose } from "../cluster/commit.ts";
import { follow } from "../cluster/replica.ts";
import { readSnapshot, type Snapshot } from "../cluster/snapshot.ts";
import { currentOf, type FleetState, newFleetId } from "../cluster/state.ts";
import type { Installation } from "../store/installation.ts";
import type { Import } from "./imported.ts";
import { newVersion, provenValue, type Use } from "./shared_version.ts";

/**
 * A first version that is shared: the one that is there already, or else a new one. Call it under the lock, on a
 * prepared installation without versions.
 *
 * @returns whether this call made it.
 * @throws {RekeyError} `already_initialised` when another secret is shared than the one to be imported, `etcd_…`.
 */
export async function makeShared(
  installation: Installation,
  use: Use,
  given?: Import,
): Promise<boolean> {
  const secret = given?.secret ?? Secret.generate();
  const there = await readSnapshot(installation, installation.shared());
  if (there !== undefined) {
    await join(installation, there, given);
    return false;
  }
  const row = newVersion(installation, 1, secret, {
    reason: given?.reason ?? null,
    request_id: null,
    replaces: null,
  }, use);
  const origin = given === undefined ? "generated" : "adopted";
  const sealed = await provenValue(installation, row, secret);
  const activated_at = installation.now();
  const current = { ...row, origin, state: "current", activated_at } as const;
  const { alg, key_form } = row;
  const { policy } = installation;
  const state: FleetState = {
    ...{ format: 1, id: newFleetId(), change: 1, alg, key_form, policy },
    versions: [current],
    retired: [],
  };
  const added = new Map([[row.kid, sealed]]);
  const snapshot = await propose(installation, { base: undefined, state, added });
  // Another machine was first.
  if (snapshot === undefined) return await makeShared(installation, use, given);
  await follow(installation, snapshot, { first: EVENTS.created });
  return true;
}

async function join(installation: Installation, snapshot: Snapshot, given?: Import): Promise<void> {
  const { version, kid } = currentOf(snapshot.state);
  if (given !== undefined && given.secret.kid !== kid) {
    throw new RekeyError(
      "already_initialised",
      `Cannot import a secret: machines share one already, version ${version} (kid ${kid})`,
      { hint: "Import under another --app or REKEY_ETCD_PREFIX" },
    );
  }
  await follow(installation, snapshot);
}
