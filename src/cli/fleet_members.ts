import { rfc3339 } from "../core/clock.ts";
import { RekeyError } from "../core/errors.ts";
import type { Member } from "../fleet/members.ts";
import { printable } from "./describe.ts";

/** A server of the fleet, for `--json`. */
export function describeMember(
  { id, actor, version, change, since, max_staleness, rekey }: Member,
) {
  return {
    id,
    actor,
    version,
    change,
    since: rfc3339(since),
    max_staleness_seconds: max_staleness / 1000,
    rekey,
  };
}

/** @throws {RekeyError} `check_failed` when a server has not confirmed what was done. */
export function mustBeConfirmed(unconfirmed: readonly Member[]): void {
  if (unconfirmed.length === 0) return;
  const names = unconfirmed.map(({ actor, id }) => `${printable(actor)} (${printable(id)})`);
  throw new RekeyError(
    "check_failed",
    `It is done, and ${names.length} server${
      names.length === 1 ? "" : "s"
    } did not confirm it in time: ${names.slice(0, MOST_NAMED).join(", ")}${
      names.length > MOST_NAMED ? ", and others" : ""
    }`,
    {
      hint:
        "Each of them stops accepting tokens once it has not heard from etcd for its --max-staleness",
    },
  );
}

const MOST_NAMED = 10;
