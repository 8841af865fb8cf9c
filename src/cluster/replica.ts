import { type AuditEntry, EVENTS } from "../audit/events.ts";
import { RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { writePolicy } from "../store/token_policy.ts";
import { sealedSlot } from "../core/secret_store.ts";
import { knownFleet, rememberFleet } from "../store/known_cluster.ts";
import { fleetBehind, type Snapshot } from "./snapshot.ts";
import { type FleetState, rowOf, type SharedVersion, withoutExpired } from "./state.ts";

const ORDER = { retired: 0, previous: 1, current: 2, pending: 3 };

/** How {@linkcode follow} differs. */
interface Following {
  /** What the log is told when this machine belonged to no fleet. */
  readonly first?: typeof EVENTS.joined | typeof EVENTS.created;
  /** Whether this machine belonged to the fleet when etcd was asked: if it has left since, nothing is changed. */
  readonly belonged?: boolean;
}

/**
 * Makes this machine's database what etcd holds: one transaction, after which every process on the machine goes by it.
 * The values stay sealed. Something newer that another process has taken over meanwhile stays.
 *
 * A value that is neither in etcd nor here is missing here too: the version then verifies nothing.
 *
 * @throws {RekeyError} `fleet_behind` when its current version has ended here,
 * `fleet_foreign` when one of its versions is another one here.
 */
export async function follow(
  installation: Installation,
  snapshot: Snapshot,
  { first = EVENTS.joined, belonged = false }: Following = {},
): Promise<void> {
  const { database, meta, sealed, versions } = installation;
  const { state, values } = snapshot;
  const audit = await installation.audit();
  database.transaction(() => {
    const known = knownFleet(meta);
    if (known !== undefined && known.change > state.change) return;
    if (known === undefined && belonged) return;
    const now = installation.now();
    const before = versions.current()?.kid;
    const { retired } = withoutExpired(state, now);
    const valued = countedHere(installation, state);
    const rows = [...retired, ...valued]
      .sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.version - b.version);
    const news = [
      ...dropUnlisted(installation, rows, now),
      ...rows.map((row) => newsOf(installation, row)),
    ]
      .filter((entry) => entry !== undefined).sort((a, b) => a.version! - b.version!);
    // One that etcd has lost is still here: whoever changes something next puts it back.
    const here = sealedHere(installation);
    for (const row of rows) followVersion(installation, row);
    sealed.dropAll();
    for (const row of valued) {
      const value = values.get(row.kid) ?? here.get(row.kid);
      if (value !== undefined) sealed.put(sealedSlot(row), value);
    }
    meta.set("alg", state.alg);
    meta.set("key_form", state.key_form);
    if (state.policy !== undefined) writePolicy(meta, state.policy);
    meta.set("scrub_pending", "log");
    if (versions.current()?.kid !== before) meta.remove("announced");
    rememberFleet(meta, snapshot);
    // A plain rotation is the fleet's.
    meta.set("store", "etcd");
    if (known === undefined) audit.append({ event: first, ...placeOf(state) });
    else news.forEach((entry) => audit.append(entry));
  });
}

/**
 * The versions that are to count here.
 *
 * @throws {RekeyError} `fleet_behind` when the current one has ended here, `fleet_foreign` when this machine has a
 * secret of its own.
 */
export function countedHere(installation: Installation, state: FleetState): SharedVersion[] {
  mustHoldNoOther(installation, state);
  // What has ended here does not come back, whatever was put back there.
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

// A version of this machine's own would be a second current one.
function mustHoldNoOther({ versions }: Installation, { versions: shared }: FleetState): void {
  const own = versions.current();
  if (own === undefined || own.location === "etcd") return;
  if (!shared.some(({ kid }) => kid === own.kid)) throw another(own.version);
}

/** What the log is told of a version, if anything. */
function newsOf({ versions }: Installation, row: SharedVersion): AuditEntry | undefined {
  const before = versions.byKid(row.kid);
  const begins = row.activated_at !== null && (before?.activated_at ?? null) === null;
  const ends = before?.state === "previous" && row.state === "retired";
  if (!begins && !ends) return undefined;
  const begun = row.replaces === null ? EVENTS.created : EVENTS.rotationCompleted;
  const { version, kid } = row;
  const place = { version, kid, location: "etcd" };
  // Who did it, and not who takes it over.
  if (begins) return { event: begun, ...place, reason: row.reason ?? undefined, actor: row.by };
  const { by: actor, why: reason } = row.ended ?? { by: undefined, why: "grace window over" };
  return { event: EVENTS.retired, ...place, reason, actor };
}

/**
 * Ends versions that the fleet does not know: so old that it has forgotten them, or made while etcd was put back to
 * before what others had seen. What the log is told of them.
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

/** A value is neither in etcd nor here. */
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
