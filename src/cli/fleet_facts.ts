import { asRefusal } from "../core/errors.ts";
import { deliveriesBehind, nameOf } from "../cluster/member_names.ts";
import { deliveringElsewhere, fleetHealth, lagging } from "../cluster/members.ts";
import type { MemberStatus } from "../etcd/client.ts";
import type { Installation } from "../store/installation.ts";
import { describeMember } from "./confirmation.ts";
import type { Output } from "./output.ts";

/** Says after a shared rotation with a grace period in one phase which machines' programs it did not ask before its commit. */
export async function warnOfOnePhase(installation: Installation, output: Output): Promise<void> {
  try {
    const others = await deliveringElsewhere(installation);
    if (others.length === 0) return;
    output.warning(
      `programs of other machines get the new key only now, when it is in use: ${
        others.map(nameOf).slice(0, MOST_SHOWN).join(", ")
      }; \`rekey rotate --prepare --wait 1m\`, then \`rekey rotate --activate --grace 24h\` ` +
        "hands it to them first",
    );
  } catch (error) {
    // The rotation stands; that etcd does not answer is said by others.
    asRefusal(error);
  }
}

/** Facts about the fleet, for `status`. */
export interface FleetFacts {
  /** Number of the change of the shared state that this machine has applied. */
  readonly change: number;
  readonly prepared: { readonly version: number; readonly kid: string } | null;
  readonly servers: readonly (ReturnType<typeof describeMember> & { readonly behind: boolean })[];
  readonly etcd: readonly MemberStatus[];
  /** Whether the etcd settings are remembered from an earlier command. */
  readonly etcd_remembered: boolean;
}

/** Of a machine that shares its secret. @throws {RekeyError} an `etcd_…` code. */
export async function fleetFacts(installation: Installation): Promise<FleetFacts> {
  const { versions } = installation;
  const health = await fleetHealth(installation);
  const { change, servers, etcd } = health;
  const pending = versions.prepared();
  const behind = lagging(health);
  const described = servers.map((server) => ({
    ...describeMember(server),
    behind: behind.includes(server),
  }));
  const prepared = pending === undefined ? null : { version: pending.version, kid: pending.kid };
  const etcd_remembered = installation.environment.etcdNamed === undefined;
  return { change, prepared, servers: described, etcd, etcd_remembered };
}

const MOST_SHOWN = 20;

/** The same for people: rows of a table. */
export function fleetRows(fleet: FleetFacts): string[][] {
  const { servers, etcd } = fleet;
  const behind = servers.filter((server) => server.behind);
  const up = etcd.filter(({ trouble }) => trouble === undefined);
  return [
    [
      "servers",
      `${servers.length}, ${behind.length === 0 ? "all up to date" : `${behind.length} behind`}`,
    ],
    ...behind.slice(0, MOST_SHOWN).map((server) => [
      "behind",
      server.change < fleet.change
        ? `${nameOf(server)} verifies with version ${server.version}`
        : `${nameOf(server)} with ${deliveriesBehind(server)}`,
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
