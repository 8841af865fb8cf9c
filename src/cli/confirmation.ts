import { rfc3339 } from "../core/clock.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { deliveriesBehind, namesOf } from "../cluster/member_names.ts";
import type { DeliveryOutcome } from "../deliver/deliver.ts";
import { mustHaveFollowed } from "../deliver/sync.ts";
import type { Member } from "../secret/backend.ts";
import type { SecretManager } from "../secret/manager.ts";

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

/** A server of the fleet, for `--json`. */
export function describeMember(member: Member) {
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
