import { rfc3339 } from "../core/clock.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { type Member, namesOf } from "../fleet/members.ts";
import type { SecretManager } from "../secret/manager.ts";

/** A server of the fleet, for `--json`. */
export function describeMember(member: Member) {
  const { id, actor, version, prepared, change, since, max_staleness, rekey } = member;
  return {
    id,
    actor,
    version,
    prepared,
    change,
    since: rfc3339(since),
    max_staleness_seconds: max_staleness / 1000,
    rekey,
  };
}

/** Servers that have not confirmed what was done, or why that cannot be told; `undefined` when nobody waits for it. */
export type Confirmation = readonly Member[] | RekeyError | undefined;

/** Waits until every server has confirmed what was done. @param waitSeconds none: it is not waited for. */
export async function confirmed(
  secrets: SecretManager,
  waitSeconds: number | undefined,
): Promise<Confirmation> {
  if (waitSeconds === undefined) return undefined;
  // What was done stands: it is shown before anything else.
  return await secrets.fleet.untilFollowed(waitSeconds * 1000).catch(asRefusal);
}

/** For `--json`. */
export function describeConfirmation(confirmation: Confirmation) {
  if (confirmation === undefined) return {};
  return { unconfirmed: isRekeyError(confirmation) ? null : confirmation.map(describeMember) };
}

/** @throws {RekeyError} `check_failed` when a server has not confirmed what was done. */
export function mustBeConfirmed(confirmation: Confirmation): void {
  if (confirmation === undefined) return;
  if (isRekeyError(confirmation)) {
    const { message, hint } = confirmation;
    throw unconfirmed(`It is done, and whether the servers follow is not known: ${message}`, hint);
  }
  const count = confirmation.length;
  if (count === 0) return;
  throw unconfirmed(
    `It is done, and ${count === 1 ? "a server has" : `${count} servers have`} ` +
      `not confirmed it in time: ${namesOf(confirmation)}`,
    "A server stops accepting tokens once it has not heard from etcd for its --max-staleness",
  );
}

function unconfirmed(message: string, hint: string | undefined): RekeyError {
  return new RekeyError("check_failed", message, hint === undefined ? {} : { hint });
}
