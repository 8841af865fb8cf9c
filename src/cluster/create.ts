import { RekeyError } from "../core/errors.ts";
import { isSplit } from "../etcd/client.ts";
import { unconfigured } from "../etcd/wire.ts";
import type { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import { isPortable, type KekSources } from "../store/sealed/kek_sources.ts";
import { EVENTS } from "../audit/events.ts";
import { Secret } from "../core/secret.ts";
import { propose } from "./commit.ts";
import { follow } from "./replica.ts";
import { readSnapshot, type Snapshot } from "./snapshot.ts";
import { currentOf, type FleetState, newFleetId } from "./state.ts";
import type { HmacUsage } from "../secret/backend.ts";
import type { Make } from "../secret/create.ts";
import type { Import } from "../secret/import/imported.ts";
import { newVersion, provenValue } from "./rotate.ts";
import { SYSTEM } from "../system/system.ts";

/** Decides how a first shared version is made. @throws {RekeyError} as {@linkcode mustBeShareable} does. */
export async function planShared(
  environment: Environment,
  usage: HmacUsage,
  given?: Import,
): Promise<Make> {
  await mustBeShareable(environment);
  return (prepared) => makeShared(prepared, usage, given);
}

/**
 * Joins the fleet whose secret etcd holds, or else makes a first version and shares it. Call it under the lock, on a
 * prepared installation without versions.
 *
 * @returns whether this call made it.
 * @throws {RekeyError} `already_initialised` when etcd holds another secret than the one to import; `etcd_…`.
 */
async function makeShared(
  installation: Installation,
  use: HmacUsage,
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

/**
 * Checks that etcd responds and that other machines can get the same KEK.
 *
 * @throws {RekeyError} `etcd_…`, or `kek_missing` when the KEK is a generated key file or comes from a passphrase, whose
 * salt exists on this machine only.
 */
export async function mustBeShareable(
  { kek, etcd, app }: Pick<Environment, "etcd" | "app"> & { readonly kek: KekSources },
): Promise<void> {
  if (etcd === undefined) throw unconfigured();
  if (!isPortable(kek)) {
    throw new RekeyError("kek_missing", "Cannot share the secret: its KEK is this machine's own", {
      hint: `Make a key file with \`${SYSTEM.advice.makeKey}\`, ` +
        "bring it to every machine, and name it " +
        "by --kek-file, REKEY_KEK_COMMAND or a systemd credential",
    });
  }
  await etcd.range(`${etcd.settings.prefix}${app.name}/state`);
  if (isSplit(await etcd.status())) {
    throw new RekeyError("etcd_failed", "Cannot use etcd: members of different etcds are named", {
      hint:
        "`etcdctl member list` of each shows whose it is. One that was started before it was configured, as " +
        "Debian's package does, stays alone until its data folder is emptied",
    });
  }
}
