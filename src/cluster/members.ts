import { accountOf } from "../audit/actor.ts";
import type { MemberStatus } from "../etcd/client.ts";
import { asRefusal, isRekeyError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { put } from "../etcd/wire.ts";
import type { Member, MemberDeliveries } from "../secret/backend.ts";
import type { Installation } from "../store/installation.ts";
import { sealedSlot } from "../core/location.ts";
import { knownFleet } from "../store/sqlite/meta.ts";
import { keysOf } from "./snapshot.ts";

/** How far the deliveries of a machine are. */
export interface DeliveryReport extends MemberDeliveries {
  /** kid of the prepared version, if each verifier that holds several keys has it. */
  readonly prepared: string | null;
}

/** Looks how far the deliveries of this machine are; `undefined` without any. Does not throw refusals. */
export type ReportDeliveries = (
  installation: Installation,
) => Promise<DeliveryReport | undefined>;

/** This server as a member of the fleet, with the present state of its machine. */
export async function memberNow(
  installation: Installation,
  run: Pick<Member, "id" | "since" | "max_staleness" | "rekey">,
  reportDeliveries: ReportDeliveries = () => Promise.resolve(undefined),
): Promise<Member> {
  const { meta, versions, environment, sealed } = installation;
  // Read first: deliveries that have followed a later change have followed this one.
  const change = knownFleet(meta)?.change ?? 0;
  const version = versions.current()?.version ?? 0;
  const prepared = versions.prepared();
  const held = prepared && await sealed.read(sealedSlot(prepared)).catch(asRefusal);
  const report = await reportDeliveries(installation);
  const isHeld = held instanceof Secret && (report === undefined || report.prepared === held.kid);
  return {
    ...run,
    machine: installation.id(),
    actor: accountOf(environment.actor),
    change,
    version,
    prepared: isHeld ? held.kid : null,
    ...report && { deliveries: { behind: report.behind, names: report.names } },
  };
}

/** Registers a member in etcd until its lease expires. */
export async function register(
  installation: Installation,
  member: Member,
  lease: string,
): Promise<void> {
  const store = await installation.shared();
  const key = keysOf(store, installation.environment.app.name).members + member.id;
  await store.client.txn([], [put(key, JSON.stringify(member), lease)]);
}

/**
 * The running servers, including those that lost etcd and whose lease has not expired.
 *
 * @throws {RekeyError} an `etcd_…` code.
 */
export async function listMembers(installation: Installation): Promise<Member[]> {
  const store = await installation.shared();
  const { members } = keysOf(store, installation.environment.app.name);
  const found = await store.client.range(members, { all: true });
  return found.map(({ key, value }) => readMember(value) ?? unreadable(key.slice(members.length)))
    .sort((a, b) => a.actor < b.actor ? -1 : a.actor > b.actor ? 1 : a.since - b.since);
}

/**
 * Members on other machines whose programs get keys.
 *
 * @throws {RekeyError} an `etcd_…` code.
 */
export async function deliveringElsewhere(installation: Installation): Promise<Member[]> {
  const [own, actor] = [installation.id(), accountOf(installation.environment.actor)];
  return (await listMembers(installation)).filter((member) =>
    member.deliveries !== undefined &&
    (member.machine === undefined ? member.actor !== actor : member.machine !== own)
  );
}

function readMember(text: string): Member | undefined {
  try {
    const member = JSON.parse(text) as Member;
    const { id, actor, change, version, prepared, since, max_staleness, rekey } = member;
    // An older rekey writes no deliveries.
    const { behind, names } = member.deliveries ?? { behind: 0, names: [] };
    const sound = Array.isArray(names) &&
      [id, actor, rekey, prepared ?? "", member.machine ?? "", ...names].every((part) =>
        typeof part === "string"
      ) &&
      [change, version, since, max_staleness, behind].every(Number.isSafeInteger);
    return sound ? member : undefined;
  } catch {
    return undefined;
  }
}

// Written by a newer rekey or another program: treated as a member that has confirmed nothing.
function unreadable(id: string): Member {
  const nothing = { change: 0, version: 0, prepared: null, since: 0, max_staleness: 0 };
  return { id, actor: "unknown", rekey: "unknown", ...nothing };
}

const POLL_MS = 100;

/**
 * Waits until every server of the fleet has followed a change, and so have the programs that its machine delivers to, or
 * the server is gone: it stops accepting tokens before its lease expires.
 *
 * @returns servers that have not confirmed the change in time.
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
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/**
 * The running servers, once all of them have followed a change.
 *
 * @param waitMs how long that is waited for, in milliseconds.
 * @throws {RekeyError} an `etcd_…` code.
 */
export async function listedOnceFollowed(
  installation: Installation,
  change: number,
  waitMs: number,
): Promise<Member[]> {
  await untilFollowed(installation, change, waitMs);
  return await listMembers(installation);
}

/** Whether a server has followed a change, and so have the programs that its machine delivers to. */
function hasFollowed({ change, deliveries }: Member, wanted: number): boolean {
  return change >= wanted && (deliveries?.behind ?? 0) === 0;
}

// An etcd member may be unavailable for a short time: the caller asks again.
async function behindOf(installation: Installation, change: number) {
  try {
    return (await listMembers(installation)).filter((member) => !hasFollowed(member, change));
  } catch (error) {
    if (isRekeyError(error, "etcd_unavailable")) return error;
    throw error;
  }
}

/** State of the fleet, for `status` and `doctor`. */
export interface FleetHealth {
  /** The last change that this machine had followed when the servers were listed. */
  readonly change: number;
  /** Running servers. */
  readonly servers: readonly Member[];
  /** The configured members of etcd. */
  readonly etcd: readonly MemberStatus[];
}

/** Reads the list of servers and the status of each etcd member. @throws {RekeyError} an `etcd_…` code. */
export async function fleetHealth(installation: Installation): Promise<FleetHealth> {
  const { client } = await installation.shared();
  // First: another process may follow a later change meanwhile, which the listed servers have not seen.
  const change = knownFleet(installation.meta)?.change ?? 0;
  const [servers, etcd] = await Promise.all([listMembers(installation), client.status()]);
  return { change, servers, etcd };
}

/** Servers that have not followed the last change, or whose deliveries have not. */
export function lagging({ change, servers }: Omit<FleetHealth, "etcd">): Member[] {
  return servers.filter((server) => !hasFollowed(server, change));
}
