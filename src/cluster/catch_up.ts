import { RekeyError } from "../core/errors.ts";
import { read } from "../etcd/wire.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { sealedSlot } from "../core/secret_store.ts";
import {
  BEGINNING,
  MOST_READ,
  type Position,
  positionIn,
  rememberPosition,
  stands,
  takeOverEnded,
} from "./ended_sessions.ts";
import { follow } from "./replica.ts";
import { type KnownFleet, knownFleet } from "../store/known_cluster.ts";
import { digestOf, keysOf, mustGoOn, readSnapshot, type Snapshot } from "./snapshot.ts";

/**
 * Takes over what other machines have done. Everything that was committed before the call is known after it.
 *
 * @returns whether the state was another one than this machine knew.
 * @throws {RekeyError} `etcd_…` or `fleet_…` when that cannot be told; what was read until then is known all the same.
 */
export async function catchUp(installation: Installation): Promise<boolean> {
  let overtaken = false;
  for (let from: Position | undefined = positionIn(installation.meta); from !== undefined;) {
    const { same, next } = await goOn(installation, from);
    overtaken ||= !same;
    from = next;
  }
  return overtaken;
}

// A session that has ended is of a version that the state had before: they are read at one moment.
async function goOn(installation: Installation, from: Position) {
  const { meta, environment, database } = installation;
  const store = installation.shared();
  const keys = keysOf(store, environment.app.name);
  const known = knownFleet(meta);
  const { found } = await store.client.txn([], [
    read(keys.state),
    read(keys.revoked, { all: true, after: { revision: from.revision, most: MOST_READ } }),
    read(keys.revoked + from.name),
  ]);
  const sealed = found[0]?.[0];
  const same = sealed !== undefined && digestOf(sealed.value) === known?.digest &&
    holdsValue(installation);
  if (!same) await takeOver(installation, await findShared(installation));
  if (!stands(from, found[2]?.[0])) {
    database.transaction(() => rememberPosition(meta, BEGINNING));
    return { same, next: BEGINNING };
  }
  return { same, next: takeOverEnded(installation, from, found[1] ?? []) };
}

/** What etcd holds, and what this machine knew before it was asked. */
export interface FoundState {
  readonly known: KnownFleet | undefined;
  readonly own: Version | undefined;
  readonly snapshot: Snapshot | undefined;
}

/** Looks, and changes nothing. @throws {RekeyError} `etcd_…`, `kek_wrong`, `secret_damaged` or `fleet_foreign`. */
export async function findShared(installation: Installation): Promise<FoundState> {
  // Before etcd is asked: another process may take over something newer meanwhile.
  const known = knownFleet(installation.meta);
  const own = installation.versions.current();
  return { known, own, snapshot: await readSnapshot(installation, installation.shared()) };
}

/**
 * Takes over what was found of versions, for who is about to change it.
 *
 * @throws {RekeyError} as {@linkcode catchUp} does.
 */
export async function takeOver(
  installation: Installation,
  { known, own, snapshot }: FoundState,
): Promise<Snapshot> {
  mustGoOn(known, own, snapshot);
  if (snapshot === undefined) throw nothingThere();
  await follow(installation, snapshot, { belonged: known !== undefined });
  return snapshot;
}

// One that etcd has lost, too, is looked for again and again: it may be put back.
function holdsValue({ versions, sealed }: Installation): boolean {
  const current = versions.current();
  return current !== undefined && sealed.sealedValue(sealedSlot(current)) !== undefined;
}

function nothingThere(): RekeyError {
  return new RekeyError("fleet_behind", "Cannot use etcd: it holds no secret of this app", {
    hint: "Make one with `rekey init --store etcd`",
  });
}
