import { isRekeyError, RekeyError } from "../core/errors.ts";
import { put, read, remove, unchangedSince } from "../etcd/wire.ts";
import type { Installation } from "../store/installation.ts";
import type { Kek } from "../store/sealed/kek.ts";
import { digestOf, keysOf, type Snapshot } from "./snapshot.ts";
import { type FleetState, MOST_SHARED_VERSIONS, sealState } from "./state.ts";
import { LOCK_TIMEOUT_MS } from "../core/limits.ts";

/** What is to become of the shared state. */
export interface Proposal {
  /** What it is made of; `undefined` when nothing is to be there. */
  readonly base: Snapshot | undefined;
  readonly state: FleetState;
  /** Sealed values by kid that are not there yet. */
  readonly added?: ReadonlyMap<string, string>;
  /** Under which it is sealed; default: this machine's. */
  readonly kek?: Kek;
}

const AGAIN_MS = 200;

/**
 * Makes a state the fleet's, if it is still as it was: it takes effect in one etcd transaction. Values of
 * versions that are not in the state are deleted by it.
 *
 * @returns the state as it now is, or `undefined` when another machine was first.
 * @throws {RekeyError} `etcd_unavailable` when it is not known whether it was carried out.
 */
export async function propose(
  installation: Installation,
  { base, state, added = new Map(), kek }: Proposal,
): Promise<Snapshot | undefined> {
  const store = installation.shared();
  const app = installation.environment.app.name;
  const { state: key, values: folder } = keysOf(store, app);
  const sealed = await sealState(kek ?? await installation.kek(), app, state);
  const isWanted = (kid: string) => state.versions.some((row) => row.kid === kid);
  // What counted before comes first: anybody may have put values there that no version has.
  const counted = (kid: string) => base?.state.versions.some((row) => row.kid === kid);
  const over = (base?.kids ?? []).filter((kid) => !isWanted(kid))
    .sort((a, b) => Number(counted(b)) - Number(counted(a))).slice(0, MOST_SHARED_VERSIONS);
  const more = [...added].filter(([kid]) => isWanted(kid));
  const values = new Map([...base?.values ?? [], ...more].filter(([kid]) => isWanted(kid)));
  const then = [
    put(key, sealed),
    ...more.map(([kid, value]) => put(folder + kid, value)),
    ...over.map((kid) => remove(folder + kid)),
    read(key),
  ];
  const when = [unchangedSince(key, base?.revision ?? 0)];
  const { found } = await decided(() => store.client.txn(when, then, [read(key)]));
  const now = found[0]?.[0];
  // Tried twice, the second time finds what the first one has written.
  if (now === undefined || digestOf(now.value) !== digestOf(sealed)) return undefined;
  const kids = [...values.keys()];
  return { state, digest: digestOf(sealed), revision: now.modified, values, kids };
}

/**
 * An answer that was lost leaves open whether the transaction was carried out. The same one again has no effect if it
 * was, and its answer tells, unless others have changed the state since.
 */
async function decided<T>(attempt: () => Promise<T>): Promise<T> {
  let lost: RekeyError | undefined;
  for (const end = performance.now() + LOCK_TIMEOUT_MS;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!isRekeyError(error)) throw error;
      if (isRekeyError(error, "etcd_unavailable")) lost = error;
      else throw lost === undefined ? error : undecided(lost);
      if (performance.now() > end) throw undecided(lost);
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function undecided(cause: RekeyError): RekeyError {
  return new RekeyError(
    "etcd_unavailable",
    `${cause.message}; whether the change was made is not known`,
    {
      hint: "The next command that reaches etcd shows it by `rekey status`; " +
        "with the same --request-id a rotation is never made twice",
      cause,
    },
  );
}

/**
 * Makes a change of what machines share, again for as long as another one is first each time.
 *
 * @param attempt answers `undefined` when another machine was first.
 * @throws {RekeyError} `busy` when others were first for so long.
 */
export async function retryOnConflict<T>(
  attempt: () => Promise<T | undefined>,
  waitMs = LOCK_TIMEOUT_MS,
): Promise<T> {
  for (const end = performance.now() + waitMs;;) {
    const made = await attempt();
    if (made !== undefined) return made;
    if (performance.now() > end) throw othersFirst();
  }
}

function othersFirst(): RekeyError {
  return new RekeyError(
    "busy",
    "Cannot change what machines share: another one was first each time",
    { hint: "See `rekey status` whether it is still wanted" },
  );
}
