import type { MemberStatus } from "../etcd/client.ts";
import { fleetHealth, lagging } from "../fleet/health.ts";
import { isShared } from "../secret/sharing.ts";
import type { Installation } from "../store/installation.ts";
import { nameOf } from "../fleet/members.ts";
import { describeMember } from "./fleet_members.ts";

/** Who shares the secret, for `status`. */
export interface FleetFacts {
  /** Number of the change of the shared state that this machine goes by. */
  readonly change: number;
  readonly prepared: { readonly version: number; readonly kid: string } | null;
  readonly servers: readonly (ReturnType<typeof describeMember> & { readonly behind: boolean })[];
  readonly etcd: readonly MemberStatus[];
  /** Whether an earlier command has named it. */
  readonly etcd_remembered: boolean;
}

/** Nothing, when this machine's secret is its own. @throws {RekeyError} an `etcd_…` code. */
export async function fleetFacts(installation: Installation): Promise<{ fleet?: FleetFacts }> {
  const { versions } = installation;
  if (!isShared(installation)) return {};
  const health = await fleetHealth(installation);
  const { change, servers, etcd } = health;
  const pending = versions.pending();
  const behind = lagging(health);
  const described = servers.map((server) => ({
    ...describeMember(server),
    behind: behind.includes(server),
  }));
  const prepared = pending === undefined ? null : { version: pending.version, kid: pending.kid };
  const etcd_remembered = installation.environment.etcd === undefined;
  return { fleet: { change, prepared, servers: described, etcd, etcd_remembered } };
}

const MOST_SHOWN = 20;

/** The same for people: rows of a table. */
export function fleetLines(fleet: FleetFacts | undefined): string[][] {
  if (fleet === undefined) return [];
  const { prepared, servers, etcd } = fleet;
  const behind = servers.filter((server) => server.behind);
  const up = etcd.filter(({ trouble }) => trouble === undefined);
  return [
    ...prepared === null ? [] : [["prepared", `version ${prepared.version} (kid ${prepared.kid})`]],
    [
      "servers",
      `${servers.length}, ${behind.length === 0 ? "all up to date" : `${behind.length} behind`}`,
    ],
    ...behind.slice(0, MOST_SHOWN).map(({ actor, id, version }) => [
      "behind",
      `${nameOf({ actor, id })} verifies with version ${version}`,
    ]),
    [
      "etcd",
      `${up.length} of ${etcd.length} members answer${
        fleet.etcd_remembered ? " (remembered)" : ""
      }`,
    ],
    ...etcd.filter(({ trouble }) => trouble !== undefined).map(({ endpoint, trouble }) => [
      "etcd",
      `${endpoint}: ${trouble}`,
    ]),
  ];
}
