import type { MemberStatus } from "../etcd/client.ts";
import { asRefusal, isRekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { put } from "../etcd/wire.ts";
import type { Member } from "../secret/backend.ts";
import type { Installation } from "../store/installation.ts";
import { sealedSlot } from "../core/secret_store.ts";
import { knownFleet } from "../store/known_cluster.ts";
import { keysOf } from "./snapshot.ts";

/** What a server shows of itself as its machine is now. */
export async function memberNow(
  { meta, versions, environment, sealed }: Installation,
  run: Pick<Member, "id" | "since" | "max_staleness" | "rekey">,
): Promise<Member> {
  const pending = versions.pending();
  const held = pending && await sealed.read(sealedSlot(pending)).catch(asRefusal);
  return {
    ...run,
    actor: environment.actor,
    change: knownFleet(meta)?.change ?? 0,
    version: versions.current()?.version ?? 0,
    prepared: held instanceof Secret ? held.kid : null,
  };
}

/** Writes a member down for as long as its lease lasts. */
export async function register(
  installation: Installation,
  member: Member,
  lease: string,
): Promise<void> {
  const store = installation.shared();
  const key = keysOf(store, installation.environment.app.name).members + member.id;
  await store.client.txn([], [put(key, JSON.stringify(member), lease)]);
}

/**
 * The servers that run now, and those that were cut off and may not have noticed yet.
 *
 * @throws {RekeyError} an `etcd_…` code.
 */
export async function listMembers(installation: Installation): Promise<Member[]> {
  const store = installation.shared();
  const { members } = keysOf(store, installation.environment.app.name);
  const found = await store.client.range(members, { all: true });
  return found.map(({ key, value }) => readMember(value) ?? unreadable(key.slice(members.length)))
    .sort((a, b) => a.actor < b.actor ? -1 : a.actor > b.actor ? 1 : a.since - b.since);
}

function readMember(text: string): Member | undefined {
  try {
    const member = JSON.parse(text) as Member;
    const { id, actor, change, version, prepared, since, max_staleness, rekey } = member;
    const sound = [id, actor, rekey, prepared ?? ""].every((part) => typeof part === "string") &&
      [change, version, since, max_staleness].every(Number.isSafeInteger);
    return sound ? member : undefined;
  } catch {
    return undefined;
  }
}

// Written by a newer rekey or by another program: it has confirmed nothing.
function unreadable(id: string): Member {
  const nothing = { change: 0, version: 0, prepared: null, since: 0, max_staleness: 0 };
  return { id, actor: "unknown", rekey: "unknown", ...nothing };
}

/** How often servers are asked for whether they have followed, in milliseconds. */
const BETWEEN_MS = 100;

/**
 * Waits until every server of the fleet goes by a change, or is gone: a server whose lease has ended has stopped
 * accepting tokens before.
 *
 * @returns servers that have not confirmed in time.
 */
export async function untilFollowed(
  installation: Installation,
  change: number,
  waitMs: number,
): Promise<Member[]> {
  for (const end = performance.now() + waitMs;;) {
    const behind = await behindOf(installation, change);
    const over = performance.now() >= end;
    if (!isRekeyError(behind) && (behind.length === 0 || over)) return behind;
    if (isRekeyError(behind) && over) throw behind;
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
  }
}

// A member that is away for a moment is no answer.
async function behindOf(installation: Installation, change: number) {
  try {
    return (await listMembers(installation)).filter((member) => member.change < change);
  } catch (error) {
    if (isRekeyError(error, "etcd_unavailable")) return error;
    throw error;
  }
}

const MOST_NAMED = 10;

/** A server for people: what it says of itself may be anybody's text. */
export function nameOf({ actor, id }: Pick<Member, "actor" | "id">): string {
  const plain = (text: string) => text.replace(/[^\w@.-]/g, "?").slice(0, 100);
  return `${plain(actor)} (${plain(id)})`;
}

/** Some of them, and how many more. */
export function namesOf(members: readonly Member[]): string {
  const names = members.slice(0, MOST_NAMED).map(nameOf);
  const more = members.length - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** How the machines that share a secret are. */
export interface FleetHealth {
  /** The change of the shared state that this machine goes by. */
  readonly change: number;
  /** The servers that run. */
  readonly servers: readonly Member[];
  /** The members of etcd that are named here. */
  readonly etcd: readonly MemberStatus[];
}

/** Asks etcd who runs, and each of its members how it is. @throws {RekeyError} an `etcd_…` code. */
export async function fleetHealth(installation: Installation): Promise<FleetHealth> {
  const { client } = installation.shared();
  const [servers, etcd] = await Promise.all([listMembers(installation), client.status()]);
  return { change: knownFleet(installation.meta)?.change ?? 0, servers, etcd };
}

/** Servers that go by an older state. */
export function lagging({ change, servers }: FleetHealth): Member[] {
  return servers.filter((server) => server.change < change);
}
