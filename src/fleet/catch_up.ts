import { RekeyError } from "../core/errors.ts";
import { read } from "../etcd/wire.ts";
import type { Installation } from "../store/installation.ts";
import type { Meta } from "../store/meta.ts";
import { sealedSlot } from "../store/secret_store.ts";
import { follow } from "./replica.ts";
import { takeOverEnded } from "./revocations.ts";
import { digestOf, keysOf, knownFleet, mustGoOn, readSnapshot, type Snapshot } from "./snapshot.ts";

/**
 * Takes over what other machines have done. Everything that was committed before the call is known after it.
 *
 * @returns whether the state was another one than this machine knew.
 * @throws {RekeyError} `etcd_…` or `fleet_…` when that cannot be told.
 */
export async function catchUp(installation: Installation): Promise<boolean> {
  const { meta, environment, database } = installation;
  const store = installation.shared();
  const keys = keysOf(store, environment.app.name);
  const known = knownFleet(meta);
  const seen = seenIn(meta);
  const { found, cluster, revision } = await store.client.txn([], [
    read(keys.state),
    read(keys.revoked, { all: true, after: seen.revision }),
  ]);
  const sealed = found[0]?.[0];
  const same = sealed !== undefined && digestOf(sealed.value) === known?.digest &&
    holdsValues(installation);
  if (!same) await takeOver(installation);
  // An etcd that was put back counts anew: it is read from the beginning.
  const again = cluster !== seen.cluster || revision < seen.revision;
  const ended = again ? await store.client.range(keys.revoked, { all: true }) : found[1] ?? [];
  takeOverEnded(installation, ended);
  if (again || ended.length > 0) {
    const last = ended.reduce((most, { modified }) => Math.max(most, modified), 0);
    database.transaction(() => meta.set("fleet_ended", `${cluster} ${last}`));
  }
  return !same;
}

/**
 * The same of the versions only, and what etcd holds, for who is about to change it.
 *
 * @throws {RekeyError} as {@linkcode catchUp} does.
 */
export async function takeOver(installation: Installation): Promise<Snapshot> {
  // Asked before etcd is: another process may take over something newer meanwhile.
  const known = knownFleet(installation.meta);
  const own = installation.versions.current();
  const snapshot = await readSnapshot(installation, installation.shared());
  mustGoOn(known, own, snapshot);
  if (snapshot === undefined) throw nothingThere();
  await follow(installation, snapshot);
  return snapshot;
}

const NOTHING_SEEN = { cluster: "", revision: 0 };

/** Up to which revision of which etcd ended sessions were taken over. */
function seenIn(meta: Meta): { cluster: string; revision: number } {
  const [cluster = "", revision = "0"] = (meta.get("fleet_ended") ?? "").split(" ");
  // What cannot be read is read from the beginning.
  return /^\d{1,15}$/.test(revision) ? { cluster, revision: Number(revision) } : NOTHING_SEEN;
}

function holdsValues({ versions, sealed }: Installation): boolean {
  return versions.valued("etcd").every((row) => sealed.sealedValue(sealedSlot(row)) !== undefined);
}

function nothingThere(): RekeyError {
  return new RekeyError("fleet_behind", "Cannot use etcd: it holds no secret of this app", {
    hint: "Make one with `rekey init --store etcd`",
  });
}
