import { randomBytes } from "node:crypto";
import { ENDS } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { type KeyForm, STANDARD_SHAPE } from "../core/secret.ts";
import { type Algorithm, isHmac } from "../core/algorithms.ts";
import type { TokenPolicy } from "../jwt/policy.ts";
import type { Kek } from "../store/sealed/kek.ts";
import { type Binding, seal, unseal } from "../store/sealed/sealing.ts";
import type { Version } from "../store/sqlite/versions.ts";

/** A version in the shared state. */
export type SharedVersion = Omit<Version, "location" | "synced"> & {
  /** The user who made it: `user@host`. */
  readonly by: string;
  /** Random id of the change that made it current. Absent before, and if an older rekey did so. */
  readonly activation?: string;
  /** Set when it was ended early. */
  readonly ended?: Ended;
};

/** Who ended a version early, and why. */
export interface Ended {
  readonly by: string;
  readonly why: string;
}

/** 2: with a version that an older rekey cannot use. That one refuses such a state, and accepts no token. */
export type StateFormat = 1 | 2;

/**
 * The state that the machines of a fleet share: one key in etcd, sealed under the KEK, so that write access to etcd is
 * not enough to read or forge it. A rotation takes effect in the transaction that finds it unchanged and replaces it.
 */
export interface FleetState {
  readonly format: StateFormat;
  /** Random id of the fleet. */
  readonly id: string;
  /** Increases by one with each change: a lower number means that etcd was restored from a backup. */
  readonly change: number;
  /** Of the current version. */
  readonly alg: Algorithm;
  readonly key_form: KeyForm;
  /** `undefined` when an older rekey wrote the state: each machine then keeps its own policy. */
  readonly policy?: TokenPolicy | undefined;
  /** Versions with a value: the current one, those in a grace window, a prepared one. */
  readonly versions: readonly SharedVersion[];
  /** Versions that no longer verify, newest first, at most {@linkcode MOST_RETIRED}. */
  readonly retired: readonly SharedVersion[];
}

/** How many retired versions are kept, so that their tokens are refused as retired and not as unknown. */
export const MOST_RETIRED = 100;

/** How many versions can have a value: an etcd transaction has at most 128 operations. */
export const MOST_SHARED_VERSIONS = 50;

/** How many grace windows can be open: the current version and a prepared one have values too. */
export const MOST_SHARED_WINDOWS = MOST_SHARED_VERSIONS - 2;

/** The random id of a new fleet, or of a change. */
export function randomId(): string {
  return randomBytes(12).toString("base64url");
}

/** Seals a state, in the oldest format that can hold it. */
export function sealState(kek: Kek, app: string, state: FleetState): Promise<string> {
  return seal(kek, binding(app), JSON.stringify({ ...state, format: formatOf(state) }));
}

function formatOf({ versions, retired }: FleetState): StateFormat {
  return [...versions, ...retired].every(({ alg }) => isHmac(alg)) ? 1 : 2;
}

/**
 * Opens a state.
 *
 * @throws {RekeyError} `kek_wrong` when it is sealed under another KEK, `secret_damaged` when it was changed,
 * `fleet_foreign` when a newer rekey wrote it.
 */
export function openState(kek: Kek, app: string, sealed: string): FleetState {
  const state = JSON.parse(opened(kek, app, sealed)) as FleetState;
  if (state.format === 1 || state.format === 2) return withUse(state);
  throw new RekeyError("fleet_foreign", "Cannot use what etcd holds: a newer rekey wrote it", {
    hint: "Install the newer rekey on this machine",
  });
}

// An older rekey stored one algorithm and one key form for all versions, and knew one shape and no key pairs.
function withUse(state: FleetState): FleetState {
  const { alg, key_form } = state;
  const complete = (row: SharedVersion): SharedVersion => ({
    ...{ alg, key_form, token_kid: null, activatable_at: null, ...STANDARD_SHAPE },
    ...row,
    published_at: row.published_at ?? (row.state === "pending" ? row.created_at : null),
  });
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

/** A shared version as a database row. */
export function rowOf({ by: _, activation: __, ended: ___, ...row }: SharedVersion): Version {
  return { ...row, location: "etcd", synced: 1 };
}

/** The version that signs. */
export function currentOf({ versions }: FleetState): SharedVersion {
  const current = versions.find(({ state }) => state === "current");
  if (current === undefined) throw new Error("A fleet's state has no current version");
  return current;
}

/** The prepared next version, if there is one. */
export function preparedOf({ versions }: FleetState): SharedVersion | undefined {
  return versions.find(({ state }) => state === "pending");
}

/** Number of the next version. */
export function nextNumber({ versions, retired }: FleetState): number {
  return Math.max(...[...versions, ...retired].map(({ version }) => version)) + 1;
}

/** A state with expired grace windows retired. */
export function withoutExpired(state: FleetState, now: number): FleetState {
  return retiring(state, now, (row) => row.state === "previous" && (row.grace_until ?? 0) <= now);
}

/** A state with some versions retired; the same object when none matches. */
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

/** How a version becomes the current one. Times are milliseconds since the epoch. */
export interface Succession {
  readonly now: number;
  /** End of the old version's grace window; `null`: every session ends. */
  readonly graceUntil: number | null;
  /** {@linkcode SharedVersion.activation} */
  readonly activation: string;
}

/** The state after `next` has become the current version. */
export function succeeded(
  before: FleetState,
  next: SharedVersion,
  { now, graceUntil, activation }: Succession,
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
    { by: next.by, why: ENDS.rotatedAway },
  );
  const current = { ...next, state: "current" as const, activated_at: now, activation };
  const { alg, key_form } = next;
  return { ...ended, alg, key_form, versions: [current, ...ended.versions] };
}
