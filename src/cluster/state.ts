import { randomBytes } from "node:crypto";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { KeyForm } from "../core/secret.ts";
import type { Algorithm, TokenPolicy } from "../jwt/policy.ts";
import type { Kek } from "../store/sealed/kek.ts";
import { type Binding, seal, unseal } from "../store/sealed/sealing.ts";
import type { Version } from "../store/sqlite/versions.ts";

/** A version as all machines know it. */
export type SharedVersion = Omit<Version, "location" | "synced"> & {
  /** Who made it: `user@host`. */
  readonly by: string;
  /** Who has ended it before its time, and why. */
  readonly ended?: Ended;
};

/** The end of a version. */
export interface Ended {
  readonly by: string;
  readonly why: string;
}

/**
 * What the machines of a fleet have in common: one key in etcd, sealed under the KEK, so that whoever can write to etcd
 * can neither read nor change it. A rotation takes effect in the transaction that finds it unchanged and
 * replaces it.
 */
export interface FleetState {
  readonly format: 1;
  /** Random; tells this fleet from any other. */
  readonly id: string;
  /** Goes up by one with each change: an older one is a copy that was put back. */
  readonly change: number;
  /** Of the current version. */
  readonly alg: Algorithm;
  readonly key_form: KeyForm;
  /** What every token must be; `undefined`: an older rekey wrote the state, and each machine keeps its own. */
  readonly policy?: TokenPolicy | undefined;
  /** Versions with a value: the current one, those in a grace window, a prepared one. */
  readonly versions: readonly SharedVersion[];
  /** Versions that no longer verify, newest first; not all that there ever were. */
  readonly retired: readonly SharedVersion[];
}

/** How many versions that no longer verify are remembered: by their kid a token is refused as retired, not as unknown. */
export const MOST_RETIRED = 100;

/** How many versions can have a value: a transaction of etcd writes and deletes no more than 128 keys. */
export const MOST_SHARED_VERSIONS = 50;

/** How many grace windows can be open: the current version and a prepared one have values too. */
export const MOST_SHARED_WINDOWS = MOST_SHARED_VERSIONS - 2;

/** A name for a fleet that is new. */
export function newFleetId(): string {
  return randomBytes(12).toString("base64url");
}

/** Seals a state. */
export function sealState(kek: Kek, app: string, state: FleetState): Promise<string> {
  return seal(kek, binding(app), JSON.stringify(state));
}

/**
 * Opens a state.
 *
 * @throws {RekeyError} `kek_wrong` when it is sealed under another KEK, `secret_damaged` when it was changed,
 * `fleet_foreign` when a newer rekey wrote it.
 */
export function openState(kek: Kek, app: string, sealed: string): FleetState {
  const state = JSON.parse(opened(kek, app, sealed)) as FleetState;
  if (state.format === 1) return withUse(state);
  throw new RekeyError("fleet_foreign", "Cannot use what etcd holds: a newer rekey wrote it", {
    hint: "Install that rekey here",
  });
}

// An older rekey had one algorithm and one key form for all versions.
function withUse(state: FleetState): FleetState {
  const { alg, key_form } = state;
  const complete = (row: Partial<SharedVersion>) => ({ alg, key_form, ...row }) as SharedVersion;
  return {
    ...state,
    versions: state.versions.map(complete),
    retired: state.retired.map(complete),
  };
}

function opened(kek: Kek, app: string, sealed: string): string {
  try {
    return unseal(kek, binding(app), sealed);
  } catch (error) {
    if (!isRekeyError(error, "secret_damaged")) throw error;
    throw new RekeyError(
      "secret_damaged",
      "Cannot open the state that etcd holds: it was changed",
      {
        hint:
          `Delete it, \`etcdctl del …/${app}/state\`, and then \`rekey store move etcd\` on the machine with ` +
          "the highest version puts it back",
        cause: error,
      },
    );
  }
}

function binding(app: string): Binding {
  return { app, use: "fleet" };
}

/** A shared version as a row of a machine's own. */
export function rowOf({ by: _, ended: __, ...row }: SharedVersion): Version {
  return { ...row, location: "etcd", synced: 1 };
}

/** The version that signs. */
export function currentOf({ versions }: FleetState): SharedVersion {
  const current = versions.find(({ state }) => state === "current");
  if (current === undefined) throw new Error("A fleet's state has no current version");
  return current;
}

/** The version that is to follow, if one was prepared. */
export function preparedOf({ versions }: FleetState): SharedVersion | undefined {
  return versions.find(({ state }) => state === "pending");
}

/** Number of the next version. */
export function nextNumber({ versions, retired }: FleetState): number {
  return Math.max(...[...versions, ...retired].map(({ version }) => version)) + 1;
}

/** A state in which the grace windows that are over have ended. */
export function withoutExpired(state: FleetState, now: number): FleetState {
  return retiring(state, now, (row) => row.state === "previous" && (row.grace_until ?? 0) <= now);
}

/** A state in which some versions no longer verify. */
export function retiring(
  state: FleetState,
  now: number,
  isOver: (version: SharedVersion) => boolean,
  ended?: Ended,
): FleetState {
  const over = state.versions.filter(isOver).map((row) => ({
    ...row,
    state: "retired" as const,
    retired_at: now,
    grace_until: null,
    ...ended === undefined ? {} : { ended },
  }));
  if (over.length === 0) return state;
  const retired = [...over, ...state.retired].sort((a, b) => b.version - a.version);
  const versions = state.versions.filter((row) => !isOver(row));
  return { ...state, versions, retired: retired.slice(0, MOST_RETIRED) };
}

/** The state after `next` has become the current version. Without a grace window every session ends. */
export function succeeded(
  before: FleetState,
  next: SharedVersion,
  graceUntil: number | null,
  now: number,
): FleetState {
  const state = withoutExpired(before, now);
  const kept = state.versions.filter(({ kid }) => kid !== next.kid).map((row) =>
    row.state === "current" && graceUntil !== null
      ? { ...row, state: "previous" as const, grace_until: graceUntil }
      : row
  );
  // Older grace windows end too, and so does a prepared version.
  const ended = retiring(
    { ...state, versions: kept },
    now,
    (row) => row.state === "pending" || graceUntil === null,
    { by: next.by, why: "rotated away" },
  );
  const current = { ...next, state: "current" as const, activated_at: now };
  const { alg, key_form } = next;
  return { ...ended, alg, key_form, versions: [current, ...ended.versions] };
}
