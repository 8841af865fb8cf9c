import { rfc3339 } from "../core/clock.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import {
  deliveriesBehind,
  deliveringElsewhere,
  fleetHealth,
  lagging,
  nameOf,
  namesOf,
} from "../cluster/members.ts";
import type { DeliveryOutcome } from "../deliver/deliver.ts";
import { mustHaveFollowed } from "../deliver/sync.ts";
import type { Member } from "../secret/backend.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { MemberStatus } from "../etcd/client.ts";
import { backendOf } from "../cluster/backend.ts";
import type { Installation } from "../store/installation.ts";
import type { Output } from "./output.ts";

/** A server of the fleet, for `--json`. */
function describeMember(member: Member) {
  const { id, actor, version, prepared, change, since, max_staleness, rekey, deliveries } = member;
  return {
    id,
    actor,
    version,
    prepared,
    change,
    since: rfc3339(since),
    max_staleness_seconds: max_staleness / 1000,
    rekey,
    deliveries: deliveries ?? null,
  };
}

/** Servers that have not confirmed what was done, or why that cannot be told; `undefined` without --wait. */
export type Confirmation = readonly Member[] | RekeyError | undefined;

/** Waits until every server has confirmed what was done. @param waitSeconds `undefined` for no wait. */
export async function confirmed(
  secrets: SecretManager,
  waitSeconds: number | undefined,
): Promise<Confirmation> {
  if (waitSeconds === undefined) return undefined;
  // The change stands, so its result is shown first.
  try {
    const { installation, backend } = await secrets.open();
    return await backend.untilFollowed(installation, waitSeconds * 1000);
  } catch (error) {
    return asRefusal(error);
  }
}

/** For `--json`. */
export function describeConfirmation(confirmation: Confirmation) {
  if (confirmation === undefined) return {};
  return { unconfirmed: isRekeyError(confirmation) ? null : confirmation.map(describeMember) };
}

/**
 * @param outcomes the deliveries of this machine.
 * @throws {RekeyError} `check_failed` that names the servers and deliveries which have not followed.
 */
export function mustAllFollow(
  confirmation: Confirmation,
  outcomes: readonly DeliveryOutcome[],
): void {
  const checks = [() => mustHaveFollowed(outcomes), () => mustBeConfirmed(confirmation)];
  const [first, second] = checks.flatMap((check) => refusalOf(check) ?? []);
  if (first === undefined) return;
  if (second === undefined) throw first;
  throw unconfirmed(`${first.message}. ${second.message}`, first.hint);
}

function refusalOf(check: () => void): RekeyError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return asRefusal(error);
  }
}

function mustBeConfirmed(confirmation: Confirmation): void {
  if (confirmation === undefined) return;
  if (isRekeyError(confirmation)) {
    const { message, hint } = confirmation;
    throw unconfirmed(
      `The change is made, but whether the servers follow is not known: ${message}`,
      hint,
    );
  }
  const count = confirmation.length;
  if (count === 0) return;
  throw unconfirmed(
    `The change is made, but ${count === 1 ? "a server has" : `${count} servers have`} ` +
      `not confirmed it in time: ${namesOf(confirmation)}`,
    confirmation.some((member) => deliveriesBehind(member) !== undefined)
      ? "`rekey deliver list` on that machine says why; it tries again by itself"
      : "A server stops accepting tokens once it has not heard from etcd for its --max-staleness",
  );
}

function unconfirmed(message: string, hint: string | undefined): RekeyError {
  return new RekeyError("check_failed", message, hint === undefined ? {} : { hint });
}

/** Says after a rotation with a grace period in one phase which machines' programs it did not ask before its commit. */
export async function warnOfOnePhase({ opened }: SecretManager, output: Output): Promise<void> {
  if (opened === undefined || !backendOf(opened).isShared) return;
  try {
    const others = await deliveringElsewhere(opened);
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
  const etcd_remembered = installation.environment.etcd === undefined;
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
