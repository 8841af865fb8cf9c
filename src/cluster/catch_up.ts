import { RekeyError } from "../core/errors.ts";
import { sealedSlot } from "../core/location.ts";
import { read } from "../etcd/wire.ts";
import type { Installation } from "../store/installation.ts";
import { type KnownFleet, knownFleet } from "../store/sqlite/meta.ts";
import type { Version } from "../store/sqlite/versions.ts";
import {
  BEGINNING,
  MOST_READ,
  type Position,
  positionIn,
  rememberPosition,
  stands,
  takeOverEnded,
} from "./ended_sessions.ts";
import { follow, type Following, hasLeft } from "./replica.ts";
import { digestOf, keysOf, mustGoOn, readSnapshot, type Snapshot } from "./snapshot.ts";

/**
 * Reads etcd and brings this machine's database to the shared state, with every change committed before the call. Nothing
 * changes on a machine that leaves the fleet meanwhile.
 *
 * @param options.joins whether a machine that belongs to no fleet joins this one, as a restored one does.
 * @returns whether the shared state had changed.
 * @throws {RekeyError} `etcd_…` or `fleet_…` when etcd cannot be followed; what was read until then is kept.
 */
export async function catchUp(
  installation: Installation,
  { joins = false }: Pick<Following, "joins"> = {},
): Promise<boolean> {
  let overtaken = false;
  for (let from: Position | undefined = positionIn(installation.meta); from !== undefined;) {
    if (!joins && hasLeft(installation)) break;
    const { same, next } = await goOn(installation, from, joins);
    overtaken ||= !same;
    from = next;
  }
  return overtaken;
}

// An ended session belongs to a version of the state, so both are read in one transaction.
async function goOn(installation: Installation, from: Position, joins: boolean) {
  const { meta, environment, database } = installation;
  const store = await installation.shared();
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
  if (!same) await takeOver(installation, await findShared(installation), { joins });
  if (!stands(from, found[2]?.[0])) {
    database.transaction(() => rememberPosition(meta, BEGINNING));
    return { same, next: BEGINNING };
  }
  return { same, next: takeOverEnded(installation, from, found[1] ?? []) };
}

/** What etcd holds, and what this machine knew before the read. */
export interface FoundState {
  readonly known: KnownFleet | undefined;
  readonly own: Version | undefined;
  readonly snapshot: Snapshot | undefined;
}

/** Reads and changes nothing. @throws {RekeyError} `etcd_…`, `kek_wrong`, `secret_damaged` or `fleet_foreign`. */
export async function findShared(installation: Installation): Promise<FoundState> {
  // Before etcd is read: another process may follow something newer meanwhile.
  const known = knownFleet(installation.meta);
  const own = installation.versions.current();
  return { known, own, snapshot: await readSnapshot(installation, await installation.shared()) };
}

/**
 * Brings this machine's database to the state that was found.
 *
 * @param options.joins see {@linkcode catchUp}.
 * @throws {RekeyError} as {@linkcode catchUp} does.
 */
export async function takeOver(
  installation: Installation,
  { known, own, snapshot }: FoundState,
  { joins = false }: Pick<Following, "joins"> = {},
): Promise<Snapshot> {
  mustGoOn(known, own, snapshot);
  if (snapshot === undefined) throw nothingThere();
  await follow(installation, snapshot, { joins });
  return snapshot;
}

// A value that etcd has lost is looked for each time: another machine may restore it.
function holdsValue({ versions, sealed }: Installation): boolean {
  const current = versions.current();
  return current !== undefined && sealed.sealedValue(sealedSlot(current)) !== undefined;
}

function nothingThere(): RekeyError {
  return new RekeyError("fleet_behind", "Cannot use etcd: it holds no secret of this app", {
    hint: "Make one with `rekey init --store etcd`",
  });
}
