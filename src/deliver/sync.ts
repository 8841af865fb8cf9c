import { abortedWhen, retryWhileBusy } from "../core/async.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Installation } from "../store/installation.ts";
import { Deliveries, isBegun, type StoredDelivery } from "../store/sqlite/deliveries.ts";
import { takeLock } from "../store/sqlite/lock.ts";
import type { Version } from "../store/sqlite/versions.ts";
import {
  type Delivery,
  holdsMany,
  kidsOf,
  type VersionSet,
  wantedVersions,
  withPreset,
} from "./delivery.ts";
import { deliver, type DeliveryOutcome, isUpToDate } from "./deliver.ts";
import { type DeliveredKey, verifyingKeys } from "./key_set.ts";
import { KeySource, type PendingKey, versionsNow } from "./key_source.ts";
import { installationVariables } from "../store/environment.ts";
import type { DeliveryRound } from "./delivery_round.ts";
import { Records } from "./records.ts";
import { SafeFolders } from "./target_folders.ts";

/** How deliveries are brought up to date. */
export interface SyncOptions {
  /** Only these; default: all. */
  readonly names?: readonly string[] | undefined;
  /** The next version of a rotation before its commit: only verifiers that hold several keys follow, and get it. */
  readonly pending?: PendingKey | undefined;
  /** Keys that verified before: programs that held one of them must refuse it when it has ended. */
  readonly before?: readonly DeliveredKey[] | undefined;
  /** Whether deliveries that this machine has never tried wait for the operator; default: they begin. */
  readonly onlyBegun?: boolean | undefined;
  /** Whether what rekey did not write may be replaced. */
  readonly force?: boolean | undefined;
  /** Whether nothing is written or reloaded, and every program asked. */
  readonly checkOnly?: boolean | undefined;
  /** Deliveries whose programs have just not answered: without a reload they are not waited for again. */
  readonly silent?: readonly string[] | undefined;
  /** Aborts when the keys are no longer the ones to deliver. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes every delivery hold the keys that it should hold now, all at once. It can be repeated, and interrupted anywhere.
 * An incident ends it early, since programs wait for that: those that have not followed yet count as failed. Call it
 * under {@linkcode deliveryLock}.
 *
 * @returns how far each has come; a failure is there, and not thrown.
 * @throws {RekeyError} when the database cannot be used, or a name is not known (`usage`).
 */
export async function sync(
  secrets: SecretManager,
  options: SyncOptions = {},
): Promise<DeliveryOutcome[]> {
  const { installation } = await secrets.open();
  const { pending, checkOnly = false, onlyBegun = false } = options;
  const deliveries = await Promise.all(selected(installation, options.names).map(withPreset));
  const round = roundOf(secrets, installation, options);
  if (pending === undefined && options.names === undefined && !checkOnly) synced.add(secrets);
  const concerned = pending === undefined ? deliveries : deliveries.filter(holdsMany);
  const isOver = () => isOverWith(installation, round.versions);
  return await abortedWhen(isOver, (over) => {
    const signal = AbortSignal.any([over, ...options.signal === undefined ? [] : [options.signal]]);
    return Promise.all(
      concerned.map((delivery) =>
        onlyBegun && !isBegun(delivery)
          ? notDone(delivery, round.versions, "it was never delivered on this machine")
          : deliver(delivery, { ...round, signal, isOver })
      ),
    );
  });
}

/** All that the deliveries of one round have in common, but for the signal that ends it. */
function roundOf(
  secrets: SecretManager,
  installation: Installation,
  options: SyncOptions,
): Omit<DeliveryRound, "signal" | "isOver"> {
  const { pending, before = [], force = false, checkOnly = false, silent = [] } = options;
  return {
    versions: versionsNow(installation, pending),
    source: new KeySource(secrets, pending),
    before,
    records: new Records(installation),
    folders: new SafeFolders(),
    policy: installation.policy,
    variables: installationVariables(secrets.environment),
    now: () => installation.now(),
    force,
    checkOnly,
    isBeforeCommit: pending !== undefined,
    silent,
  };
}

/** Whether one of these versions was ended before its time, which is an incident. */
function isOverWith(
  installation: Installation,
  { current, prepared, previous }: VersionSet<Version>,
): boolean {
  const now = installation.now();
  return [current, prepared, ...previous].some((row) =>
    row !== undefined && (row.grace_until ?? Infinity) > now &&
    installation.versions.byKid(row.kid)?.state === "retired"
  );
}

function notDone(delivery: Delivery, versions: VersionSet, failure: string): DeliveryOutcome {
  return {
    name: delivery.name,
    wanted: kidsOf(wantedVersions(delivery, versions)),
    state: { ...delivery.state, failure },
    worked: false,
    remark: undefined,
  };
}

/**
 * Like {@linkcode sync} after versions have ended while another process was delivering. It waits for that one; if it
 * does not end, the deliveries that are behind count as failed.
 */
export async function syncWhenFree(
  secrets: SecretManager,
  before: readonly DeliveredKey[],
  waitMs: number,
): Promise<DeliveryOutcome[]> {
  const { installation } = await secrets.open();
  const lock = await lockIfFree(installation, waitMs);
  if (lock === undefined) {
    const versions = versionsNow(installation);
    return (await progressOf(installation)).filter(({ isUpToDate }) => !isUpToDate)
      .map(({ delivery }) => notDone(delivery, versions, "another rekey is still delivering keys"));
  }
  try {
    return await sync(secrets, { before, onlyBegun: true });
  } finally {
    lock[Symbol.dispose]();
  }
}

const synced = new WeakSet<SecretManager>();

/** Whether this process has brought all deliveries up to date, or tried to. */
export function hasSynced(secrets: SecretManager): boolean {
  return synced.has(secrets);
}

/** Which deliveries have not followed, each with its reason. */
export function failuresOf(outcomes: readonly DeliveryOutcome[]): string[] {
  return outcomes.flatMap(({ name, state: { failure } }) =>
    failure === null ? [] : [`${name}: ${failure}`]
  );
}

/** @throws {RekeyError} `check_failed` that names the deliveries which have not followed, and why. */
export function mustHaveFollowed(outcomes: readonly DeliveryOutcome[]): void {
  const failures = failuresOf(outcomes);
  if (failures.length === 0) return;
  throw new RekeyError("check_failed", `Not followed: ${failures.join("; ")}`, {
    hint: "Fix that, then run `rekey deliver sync`; `rekey serve` tries again by itself",
  });
}

/** Deliveries by name; all without names. @throws {RekeyError} `usage` for an unknown name. */
export function selected(
  { database }: Installation,
  names: readonly string[] = [],
): StoredDelivery[] {
  const all = new Deliveries(database).all();
  const unknown = names.find((name) => !all.some((one) => one.name === name));
  if (unknown !== undefined) {
    throw new RekeyError("usage", `There is no delivery ${JSON.stringify(unknown)}`, {
      hint: "`rekey deliver list` names them",
    });
  }
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

/** A delivery with what is missing. */
export interface DeliveryProgress {
  readonly delivery: Delivery;
  /** The kids that it should hold, the newest first. */
  readonly wanted: readonly string[];
  readonly isUpToDate: boolean;
  /** Since when it has not followed, milliseconds since the epoch; `null` if it has, or was never written. */
  readonly behindSince: number | null;
}

// A delivery that is under way changes rows and files a few times.
const MOST_LOOKS = 10;

/**
 * How far deliveries have come, as far as rows and files show. Reads no value, and asks no program. What another process
 * delivers meanwhile is looked at again: its new file does not fit the old row.
 */
export async function progressOf(
  installation: Installation,
  names?: readonly string[],
): Promise<DeliveryProgress[]> {
  const { database } = installation;
  for (let looks = 1;; looks++) {
    const change = database.change();
    const progress = await progressNow(installation, names);
    const isBehind = progress.some(({ isUpToDate }) => !isUpToDate);
    if (!isBehind || looks === MOST_LOOKS || change === database.change()) return progress;
  }
}

async function progressNow(
  installation: Installation,
  names?: readonly string[],
): Promise<DeliveryProgress[]> {
  const stored = selected(installation, names);
  if (stored.length === 0) return [];
  const versions = versionsNow(installation);
  return await Promise.all(stored.map(async (one) => {
    const delivery = await withPreset(one);
    const wanted = kidsOf(wantedVersions(delivery, versions));
    const done = isUpToDate(delivery, versions);
    const behindSince = done ? null : behind(installation, delivery, wanted);
    return { delivery, wanted, isUpToDate: done, behindSince };
  }));
}

// The first change of versions that the program has not followed, or else the failure.
function behind(
  { versions }: Installation,
  { state: { confirmed, failed_at, added_at = 0 } }: Delivery,
  wanted: readonly string[],
): number | null {
  const missing = wanted.filter((kid) => !confirmed.includes(kid))
    .flatMap((kid) => versions.byKid(kid)?.activated_at ?? []);
  const ended = confirmed.filter((kid) => !wanted.includes(kid))
    .flatMap((kid) => endOf(versions.byKid(kid)) ?? []);
  const times = [...missing, ...ended];
  // Versions may be much older than the delivery.
  return times.length === 0 ? failed_at : Math.max(added_at, Math.min(...times));
}

const endOf = (row: Version | undefined) => row?.retired_at ?? row?.grace_until;

/** The keys that verify now, with their values; `[]` if one cannot be read: then no program can be asked about it. */
export async function keysVerifyingNow(secrets: SecretManager): Promise<DeliveredKey[]> {
  const { installation } = await secrets.open();
  try {
    return verifyingKeys(await new KeySource(secrets).keysOf(versionsNow(installation)));
  } catch (error) {
    if (isRekeyError(error)) return [];
    throw error;
  }
}

/** Path of the lock of deliveries. */
export function deliveryLockPath({ database: { path } }: Installation): string {
  return `${path}.deliveries.lock`;
}

/**
 * Takes the lock of deliveries until it is disposed of: one process at a time writes files and reloads programs.
 *
 * @param waitMs how long to wait for another one.
 * @throws {RekeyError} `busy` when it is not free in time.
 */
export async function deliveryLock(
  installation: Installation,
  waitMs: number,
): Promise<Disposable> {
  try {
    // Not SQLite's own waiting, which blocks a server's thread.
    return await retryWhileBusy(
      waitMs,
      () => Promise.resolve(takeLock(deliveryLockPath(installation), 0)),
    );
  } catch (error) {
    if (!isRekeyError(error, "busy")) throw error;
    throw new RekeyError("busy", "Cannot deliver: another rekey is delivering keys", {
      hint: "Wait for it to end and run the command again",
    });
  }
}

/** Like {@linkcode deliveryLock}. @returns `undefined` when it is not free in time. */
export async function lockIfFree(
  installation: Installation,
  waitMs: number,
): Promise<Disposable | undefined> {
  const lock = await deliveryLock(installation, waitMs).catch(asRefusal);
  if (!isRekeyError(lock)) return lock;
  if (lock.code !== "busy") throw lock;
  return undefined;
}
