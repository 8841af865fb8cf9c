import type { AuditWriter } from "../audit/chain.ts";
import { dropPrepared } from "../secret/recover.ts";
import { type AuditEntry, ENDS, EVENTS } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { knownFleet, rememberFleet, writePolicy } from "../store/sqlite/meta.ts";
import { sealedSlot } from "../core/location.ts";
import { fleetBehind, mustBeOf, type Snapshot } from "./snapshot.ts";
import { type FleetState, rowOf, type SharedVersion, withoutExpired } from "./state.ts";

const ORDER = { retired: 0, previous: 1, current: 2, pending: 3 };

/** How {@linkcode follow} differs. */
export interface Following {
  /** Audit event if this machine belonged to no fleet. */
  readonly first?: typeof EVENTS.joined | typeof EVENTS.created;
  /** Whether a machine that belongs to no fleet joins this one. Otherwise nothing changes on one that has left meanwhile. */
  readonly joins?: boolean;
}

/**
 * Brings this machine's database to the state that etcd holds, in one transaction; every process on the machine uses it
 * from then on. The values stay sealed. A newer state that another process has followed meanwhile stays.
 *
 * A version whose value is neither in etcd nor here verifies nothing.
 *
 * @throws {RekeyError} `fleet_behind` when its current version has ended here,
 * `fleet_foreign` when it is another fleet's, or one of its versions is another one here.
 */
export async function follow(
  installation: Installation,
  snapshot: Snapshot,
  { first = EVENTS.joined, joins = false }: Following = {},
): Promise<void> {
  const { database, meta } = installation;
  const { state } = snapshot;
  const audit = await installation.audit();
  database.transaction(() => {
    const known = knownFleet(meta);
    // Since etcd was read the machine may have left that fleet, and joined this one.
    if (known !== undefined) mustBeOf(known, state);
    if (known !== undefined && known.change > state.change) return;
    if (!joins && hasLeft(installation)) return;
    const news = followVersions(installation, snapshot, audit);
    followSettings(installation, snapshot);
    if (known === undefined) audit.append({ event: first, ...placeOf(state) });
    else news.forEach((entry) => audit.append(entry));
  });
}

/** Whether this machine has left its fleet. Where only the row about the fleet is lost, the secret is still in etcd. */
export function hasLeft({ meta, versions }: Installation): boolean {
  return knownFleet(meta) === undefined && versions.current()?.location !== "etcd";
}

/** @returns rows for the audit log, in the order of the versions. */
function followVersions(
  installation: Installation,
  { state, values }: Snapshot,
  audit: AuditWriter,
): AuditEntry[] {
  const { meta, versions } = installation;
  const now = installation.now();
  const before = versions.current()?.kid;
  const { retired } = withoutExpired(state, now);
  const valued = countedHere(installation, state);
  const rows = [...retired, ...valued]
    .sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.version - b.version);
  dropOwnPrepared(installation, rows, audit);
  const news = [
    ...dropUnlisted(installation, rows, now),
    ...rows.map((row) => newsOf(installation, row)),
  ];
  // Values that etcd has lost stay here: the next change restores them.
  const kept = new Map([...sealedHere(installation), ...values]);
  // A rotation of this machine whose programs follow would open another grace window.
  if (rows.some((row) => endsEarly(installation, row))) meta.remove("following");
  for (const row of rows) followVersion(installation, row);
  putValues(installation, valued, kept);
  if (versions.current()?.kid !== before) meta.remove("announced");
  return news.filter((entry) => entry !== undefined).sort((a, b) => a.version! - b.version!);
}

function putValues(
  { sealed }: Installation,
  rows: readonly SharedVersion[],
  values: ReadonlyMap<string, string>,
): void {
  sealed.dropAll();
  for (const row of rows) {
    const value = values.get(row.kid);
    if (value !== undefined) sealed.put(sealedSlot(row), value);
  }
}

function followSettings({ meta }: Installation, snapshot: Snapshot): void {
  const { alg, key_form, policy } = snapshot.state;
  meta.set("alg", alg);
  meta.set("key_form", key_form);
  if (policy !== undefined) writePolicy(meta, policy);
  meta.set("scrub_pending", "log");
  rememberFleet(meta, snapshot);
  // From now on a rotation without --store is a shared one.
  meta.set("store", "etcd");
}

/**
 * The versions of a state that are valid on this machine.
 *
 * @throws {RekeyError} `fleet_behind` when the current one has ended here, `fleet_foreign` when this machine has a
 * local secret.
 */
export function countedHere(installation: Installation, state: FleetState): SharedVersion[] {
  mustHoldNoOther(installation, state);
  // A version that has ended here stays ended, even if etcd was restored from an older backup.
  const counted = withoutExpired(state, installation.now()).versions
    .filter((row) => !hasEnded(installation, row));
  if (counted.some((row) => row.state === "current")) return counted;
  throw fleetBehind();
}

/** Sealed values of this machine's versions, by kid. */
export function sealedHere({ versions, sealed }: Installation): Map<string, string> {
  const found = versions.valued("etcd").map((row) =>
    [row.kid, sealed.sealedValue(sealedSlot(row)) ?? ""] as const
  );
  return new Map(found.filter(([, value]) => value !== ""));
}

function hasEnded({ versions }: Installation, { kid }: SharedVersion): boolean {
  const own = versions.byKid(kid);
  return own?.state === "retired" && own.activated_at !== null;
}

// A local current version would be a second one.
function mustHoldNoOther({ versions }: Installation, { versions: shared }: FleetState): void {
  const own = versions.current();
  if (own === undefined || own.location === "etcd") return;
  if (!shared.some(({ kid }) => kid === own.kid)) throw another(own.version);
}

/** Audit row for a version that begins or ends. */
function newsOf({ versions }: Installation, row: SharedVersion): AuditEntry | undefined {
  const before = versions.byKid(row.kid);
  const begins = row.activated_at !== null && (before?.activated_at ?? null) === null;
  const ends = before?.state === "previous" && row.state === "retired";
  if (!begins && !ends) return undefined;
  const begun = row.replaces === null ? EVENTS.created : EVENTS.rotationCompleted;
  const { version, kid } = row;
  const place = { version, kid, location: "etcd" };
  // The actor is the one who made the change, on whichever machine.
  if (begins) return { event: begun, ...place, reason: row.reason ?? undefined, actor: row.by };
  const { by: actor, why: reason } = row.ended ?? { by: undefined, why: ENDS.graceOver };
  return { event: EVENTS.retired, ...place, reason, actor };
}

/** Whether an incident has ended a version that verifies here. */
function endsEarly({ versions }: Installation, { kid, state, ended }: SharedVersion): boolean {
  const before = versions.byKid(kid)?.state;
  return state === "retired" && ended !== undefined &&
    (before === "current" || before === "previous");
}

/**
 * Retires versions that the shared state does not list: too old to be remembered, or made in a history of etcd that a
 * restored backup has replaced.
 *
 * @returns audit rows.
 */
function dropUnlisted(
  { versions }: Installation,
  rows: SharedVersion[],
  now: number,
): AuditEntry[] {
  const over = versions.valued("etcd").filter((own) => !rows.some(({ kid }) => kid === own.kid));
  return over.map((row) => {
    versions.retire(row, now);
    const { version, kid } = row;
    const reason = "the fleet has gone on without it";
    return { event: EVENTS.retired, version, kid, location: "etcd", reason };
  });
}

// A machine that joins a fleet has the version that the fleet prepares, and no other one.
function dropOwnPrepared(
  installation: Installation,
  rows: readonly SharedVersion[],
  audit: AuditWriter,
): void {
  const own = installation.versions.prepared();
  if (own === undefined || own.location === "etcd") return;
  if (!rows.some(({ kid }) => kid === own.kid)) dropPrepared(installation, audit);
}

function followVersion({ versions }: Installation, shared: SharedVersion): void {
  const row = rowOf(shared);
  const before = versions.byNumber(row.version);
  const same = versions.byKid(row.kid);
  if (same !== undefined && same.version !== row.version) throw another(same.version);
  if (before?.location === "keyring" && before.kid === row.kid) versions.markUnsynced(before);
  if (versions.follow(row) || row.state === "retired") return;
  throw another(row.version);
}

function another(version: number): RekeyError {
  return new RekeyError(
    "fleet_foreign",
    `Cannot take over what etcd holds: version ${version} is another one on this machine`,
    { hint: "To join that fleet, `rekey destroy` here and then `rekey init --store etcd`" },
  );
}

function placeOf({ versions }: FleetState) {
  const { version, kid } = versions.find(({ state }) => state === "current")!;
  return { version, kid, location: "etcd" };
}

/** The error for a value that is neither in etcd nor here. */
export function lacking({ version }: SharedVersion): RekeyError {
  return new RekeyError(
    "secret_missing",
    `Cannot find the JWT secret: etcd lacks the value of version ${version}`,
    {
      hint: "A machine that still has it puts it back by `rekey store move etcd`; if none has, " +
        "`rekey rotate --force` on one of the fleet makes a new one",
    },
  );
}
