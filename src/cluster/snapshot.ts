import { createHash } from "node:crypto";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { type KeyValue, read } from "../etcd/wire.ts";
import type { EtcdStore } from "../store/sealed/sealed_stores.ts";
import type { Installation } from "../store/installation.ts";
import type { KnownFleet } from "../store/sqlite/meta.ts";
import { currentSlot } from "../core/location.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { type FleetState, MOST_RETIRED, openState } from "./state.ts";

/** What etcd holds at one revision. */
export interface Snapshot {
  readonly state: FleetState;
  readonly digest: string;
  /** Revision at which the state was written, for compare-and-swap. */
  readonly revision: number;
  /** Sealed values of the state's versions, by kid; a value that cannot be opened counts as lost. */
  readonly values: ReadonlyMap<string, string>;
  /** All kids that have a key, valid or not. */
  readonly kids: readonly string[];
}

/** Names of an app's keys in etcd. Machines watch the prefix `state`, so no other key may begin with it. */
export function keysOf({ client, folder }: EtcdStore, app: string) {
  const base = `${client.settings.prefix}${app}/`;
  return {
    state: `${base}state`,
    revoked: `${base}state/revoked/`,
    values: folder,
    members: `${base}members/`,
  };
}

/** The sealed state; `undefined` when etcd holds none. */
export async function readSealedState(
  store: EtcdStore,
  app: string,
): Promise<KeyValue | undefined> {
  return (await store.client.range(keysOf(store, app).state))[0];
}

/** Digest that identifies a sealed state. */
export function digestOf(sealed: string): string {
  return createHash("sha256").update(sealed).digest("base64url");
}

/**
 * Reads state and values at one revision; `undefined` when there is no state.
 *
 * @throws {RekeyError} `etcd_…`, `kek_wrong`, `secret_damaged` or `fleet_foreign`.
 */
export async function readSnapshot(
  installation: Installation,
  store: EtcdStore,
): Promise<Snapshot | undefined> {
  const app = installation.environment.app.name;
  const keys = keysOf(store, app);
  const { found } = await store.client.txn([], [
    read(keys.state),
    read(keys.values, { all: true }),
  ]);
  const sealed = found[0]?.[0];
  if (sealed === undefined) return undefined;
  const there = new Map(
    (found[1] ?? []).map(({ key, value }) => [key.slice(keys.values.length), value]),
  );
  const state = openState(await installation.kek(), app, sealed.value);
  const values = await sound(store, state, there);
  const digest = digestOf(sealed.value);
  return { state, digest, revision: sealed.modified, values, kids: [...there.keys()] };
}

// Anyone who can write to etcd can replace a value.
async function sound(
  store: EtcdStore,
  { versions }: FleetState,
  there: ReadonlyMap<string, string>,
): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  for (const row of versions) {
    const sealed = there.get(row.kid);
    if (sealed === undefined) continue;
    const opened = await store.open(currentSlot(row), sealed).catch(asRefusal);
    if (!isRekeyError(opened)) values.set(row.kid, sealed);
  }
  return values;
}

/**
 * Checks that the state in etcd is the one this machine knows or a later one.
 *
 * @param own this machine's current version.
 * @throws {RekeyError} `fleet_foreign` when it belongs to another fleet, `fleet_behind` when it is older or continues
 * an older one.
 */
export function mustGoOn(
  known: KnownFleet | undefined,
  own: Version | undefined,
  found: Found | undefined,
): void {
  if (known === undefined) return;
  const { state, digest } = found ?? {};
  if (state !== undefined) mustBeOf(known, state);
  if (state === undefined) throw fleetBehind("nothing");
  if (!goesOn(known, own, { state, digest: digest! })) throw fleetBehind();
}

/** @throws {RekeyError} `fleet_foreign` when a state is not of the fleet that this machine belongs to. */
export function mustBeOf(known: KnownFleet, { id }: FleetState): void {
  if (id === known.id) return;
  throw new RekeyError(
    "fleet_foreign",
    "Cannot use what etcd holds: it is another fleet's secret",
    {
      hint: "Check REKEY_ETCD_ENDPOINTS and REKEY_ETCD_PREFIX. To join that fleet, " +
        "`rekey destroy` here and then `rekey init --store etcd`",
    },
  );
}

/** Whether the state in etcd is the one this machine knows, or a later one. */
function goesOn(
  known: KnownFleet,
  own: Version | undefined,
  { state, digest }: Found,
): boolean {
  if (state.change === known.change) return digest === known.digest;
  return state.change > known.change && isListed(own, state);
}

// A restored etcd may have reached a higher change number again, without this machine's version.
function isListed(own: Version | undefined, { versions, retired }: FleetState): boolean {
  if (own?.location !== "etcd") return true;
  const forgotten = retired.length >= MOST_RETIRED && own.version < retired.at(-1)!.version;
  return forgotten || [...versions, ...retired].some(({ kid }) => kid === own.kid);
}

type Found = Pick<Snapshot, "state" | "digest">;

/** The error for an etcd that was restored from an older backup or emptied. */
export function fleetBehind(
  what = "not what this machine has seen, nor came after it",
): RekeyError {
  return new RekeyError("fleet_behind", `Cannot use what etcd holds: it is ${what}`, {
    hint:
      "Are REKEY_ETCD_ENDPOINTS and REKEY_ETCD_PREFIX those of the fleet? Was etcd restored from a backup? Then " +
      "`rekey rotate --force` on the machine with the highest version goes on from there; if etcd has not gone on " +
      "since, so does `rekey store move etcd` without a new secret",
  });
}
