import { rfc3339 } from "../core/clock.ts";
import { isRekeyError } from "../core/errors.ts";
import { type ExecProcess, ExecProcesses } from "../store/sqlite/exec_processes.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { SYSTEM } from "../system/system.ts";
import { Processes, type ProcessId } from "../system/processes.ts";

/**
 * State of the version that a process holds: `current`, `grace` (it still verifies) or `ended`. With `exec --on-rotate`
 * a process with an older version is `restarting`, or `told` by a signal: it then fetches the new value itself, and its
 * environment no longer shows what it uses.
 */
export const HOLDER_STATES = ["current", "grace", "ended", "restarting", "told"] as const;
export type HolderState = (typeof HOLDER_STATES)[number];

/** A running process that `exec` has given a secret. Times are milliseconds since the epoch. */
export interface Holder {
  readonly pid: number;
  readonly program: string;
  readonly kid: string;
  /** `null` when this database does not know the kid, as after a restoration. */
  readonly version: number | null;
  readonly since: number;
  readonly state: HolderState;
  /** End of the grace window. */
  readonly until: number | null;
}

// A program has ten seconds to end, and a keyring may be slow; a longer time is not a restart.
const RESTART_MS = 60_000;

// Whether processes in other containers still run cannot be seen.
const FORGOTTEN_MS = 30 * 86_400_000;

// A row may be deleted later.
const WAIT_MS = 100;

/** Running processes of this user that `exec` started, except in other containers. */
export function holdersOf(installation: Installation): Holder[] {
  const rows = new ExecProcesses(installation.database).all();
  if (rows.length === 0) return [];
  const processes = new Processes(SYSTEM.processes.identities);
  return rows.filter((row) => processes.stateOf(row) === "runs")
    .map((row) => holder(installation, row, processes));
}

/** A process whose version has ended or is in a grace window, and that is not being restarted. */
export type StaleHolder = Holder & { readonly state: "ended" | "grace" };

export function staleHolders(installation: Installation): StaleHolder[] {
  return holdersOf(installation).filter(isStale);
}

export function isStale(holder: Holder): holder is StaleHolder {
  return holder.state === "ended" || holder.state === "grace";
}

/** Holders for `--json` and `/status.json`, with times in RFC 3339. */
export function describeHolders(holders: readonly StaleHolder[]) {
  return holders.map(({ since, until, ...holder }) => ({
    ...holder,
    since: rfc3339(since),
    until: until === null ? null : rfc3339(until),
  }));
}

function holder(installation: Installation, row: ExecProcess, processes: Processes): Holder {
  const { pid, program, kid, since, keeper, signal, keys } = row;
  const version = installation.versions.byKid(kid);
  const [now, end] = [installation.now(), endOf(version)];
  const known = { pid, program, kid, version: version?.version ?? null, since };
  const isBehind = keys !== null && keys.split(" ").some((one) => hasEnded(installation, one));
  if (isBehind) return { ...known, state: "ended", until: null };
  if (version?.state === "current") return { ...known, state: "current", until: null };
  const kept = keeper !== null && processes.stateOf(keeper) === "runs";
  if (kept && signal !== null) return { ...known, state: "told", until: null };
  if (kept && now - end < RESTART_MS) return { ...known, state: "restarting", until: null };
  return end > now
    ? { ...known, state: "grace", until: end }
    : { ...known, state: "ended", until: null };
}

/** Whether a key's tokens are refused from now on. A key that this database does not know counts as one that was. */
export function hasEnded(installation: Installation, kid: string): boolean {
  const version = installation.versions.byKid(kid);
  if (version?.state === "previous") return (version.grace_until ?? 0) <= installation.now();
  return version === undefined || version.state === "retired";
}

function endOf(version: Version | undefined): number {
  if (version?.state === "previous") return version.grace_until ?? 0;
  return version?.retired_at ?? 0;
}

/** A program that `exec` starts. */
export interface Started {
  readonly pid: number;
  readonly kid: string;
  readonly program: string;
  /** How `exec` handles it after a rotation; `undefined` when `exec` was replaced by the program. */
  readonly keeper?: {
    readonly signal: string | null;
    /** The kids in its file of keys; `undefined` without one. */
    readonly keys?: readonly string[] | undefined;
  };
}

/**
 * Records that a process holds a secret, and deletes the records of processes that are gone.
 *
 * @param options.waitMs how long to wait for other writers of the database, in milliseconds.
 * @param options.replaces whose record is deleted at the same time, so that a rotation never names both.
 * @returns its id for {@linkcode forgetHolder}; `ended` when it has ended already, `undefined` when it could not be
 * recorded.
 */
export function noteHolder(
  installation: Installation,
  started: Started,
  { waitMs, replaces }: { readonly waitMs: number; readonly replaces?: ProcessId | undefined },
): ProcessId | "ended" | undefined {
  const { pid, kid, program, keeper: kept } = started;
  const processes = new Processes(SYSTEM.processes.identities);
  const id = processes.identify(pid);
  const own = processes.identify(Deno.pid);
  const keeper = kept === undefined ? null : own ?? null;
  if (id === undefined) return own === undefined ? undefined : "ended";
  const since = installation.now();
  const row = {
    ...id,
    kid,
    program,
    since,
    keeper,
    signal: kept?.signal ?? null,
    keys: kept?.keys?.join(" ") ?? null,
  };
  const written = changeHolders(installation, (rows) => {
    forgetGone(rows, processes, since);
    if (replaces !== undefined) rows.remove(replaces);
    rows.add(row);
  }, waitMs);
  return written ? id : undefined;
}

/** Deletes the record of a process that has ended. */
export function forgetHolder(installation: Installation, id: ProcessId): void {
  changeHolders(installation, (rows) => rows.remove(id));
}

/** Deletes the records of processes that are gone, which `exec` cannot do when the program has replaced it. */
export function forgetGoneHolders(installation: Installation): void {
  const rows = new ExecProcesses(installation.database).all();
  if (rows.length === 0) return;
  const processes = new Processes(SYSTEM.processes.identities);
  if (!rows.some((row) => isGone(row, processes, installation.now()))) return;
  changeHolders(installation, (rows) => forgetGone(rows, processes, installation.now()));
}

function forgetGone(rows: ExecProcesses, processes: Processes, now: number): void {
  for (const row of rows.all()) if (isGone(row, processes, now)) rows.remove(row);
}

function isGone(row: ExecProcess, processes: Processes, now: number): boolean {
  const life = processes.stateOf(row);
  return life === "gone" || (life === "unknown" && now - row.since > FORGOTTEN_MS);
}

/** Changes the records. Not durable: after a power cut the processes are gone too. @returns whether it was possible now. */
export function changeHolders(
  installation: Installation,
  work: (rows: ExecProcesses) => void,
  waitMs = WAIT_MS,
): boolean {
  const { database } = installation;
  try {
    const options = { waitMs, durable: false };
    database.transaction(() => work(new ExecProcesses(database)), options);
    return true;
  } catch (error) {
    if (isRekeyError(error)) return false;
    throw error;
  }
}
