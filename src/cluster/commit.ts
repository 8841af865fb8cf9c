import { isRekeyError, RekeyError } from "../core/errors.ts";
import { put, read, remove, unchangedSince } from "../etcd/wire.ts";
import type { Installation } from "../store/installation.ts";
import type { Kek } from "../store/sealed/kek.ts";
import { digestOf, keysOf, type Snapshot } from "./snapshot.ts";
import { type FleetState, MOST_SHARED_VERSIONS, sealState } from "./state.ts";
import { LOCK_TIMEOUT_MS } from "../core/limits.ts";

/** A new shared state. */
export interface Proposal {
  /** The snapshot it replaces; `undefined` when etcd must hold no state. */
  readonly base: Snapshot | undefined;
  readonly state: FleetState;
  /** Sealed values that etcd lacks, by kid. */
  readonly added?: ReadonlyMap<string, string>;
  /** The KEK that seals it; default: this machine's. */
  readonly kek?: Kek;
}

const RETRY_MS = 200;

/**
 * Replaces the shared state in one etcd transaction if it is still the base (compare-and-swap). The transaction deletes
 * the values of versions that are not in the new state.
 *
 * @returns the new snapshot, or `undefined` when another machine was first.
 * @throws {RekeyError} `etcd_unavailable` when it is not known whether the transaction took effect.
 */
export async function propose(
  installation: Installation,
  { base, state, added = new Map(), kek }: Proposal,
): Promise<Snapshot | undefined> {
  const store = await installation.shared();
  const app = installation.environment.app.name;
  const { state: key, values: folder } = keysOf(store, app);
  const sealed = await sealState(kek ?? await installation.kek(), app, state);
  const isWanted = (kid: string) => state.versions.some((row) => row.kid === kid);
  // Values of former versions come first: anyone with write access may have added others.
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
  // A repeated attempt finds what the first one has written.
  if (now === undefined || digestOf(now.value) !== digestOf(sealed)) return undefined;
  const kids = [...values.keys()];
  return { state, digest: digestOf(sealed), revision: now.modified, values, kids };
}

/**
 * Repeats a transaction whose response was lost. If the first one took effect, the repetition changes nothing and its
 * response shows that, unless another machine has changed the state since.
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
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
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
 * Repeats a compare-and-swap while it meets conflicts.
 *
 * @param attempt returns `undefined` when another machine was first.
 * @param waitMs how long to retry, in milliseconds.
 * @throws {RekeyError} `busy` when that time is over.
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
