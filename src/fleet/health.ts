import type { MemberStatus } from "../etcd/client.ts";
import type { Installation } from "../store/installation.ts";
import { listMembers, type Member } from "./members.ts";
import { knownFleet } from "./snapshot.ts";

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
