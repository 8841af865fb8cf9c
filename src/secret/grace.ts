import { EVENTS } from "../audit/events.ts";
import { rfc3339 } from "../core/clock.ts";
import { destroyValue } from "./destroy_value.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { isAhead } from "./age.ts";

/** Whether a version's grace window is open at a time in milliseconds since the epoch. */
export function isOpenAt({ grace_until }: Version, time: number): boolean {
  return (grace_until ?? 0) > time;
}

/** Older versions that verify still, by what this machine knows. */
export function inGrace(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter((row) => isOpenAt(row, now));
}

/** Versions whose grace window is over and whose values are still there. */
export function expired(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter((row) => !isOpenAt(row, now));
}

/** Destroys versions in a grace window: in one transaction they no longer verify. Call it under the lock. */
export async function endGrace(
  installation: Installation,
  ended: Version[],
  reason: string,
): Promise<void> {
  if (ended.length === 0) return;
  const audit = await installation.audit();
  installation.database.transaction(() => {
    for (const row of ended) {
      const { version, kid, location } = row;
      destroyValue(installation, row, installation.now());
      audit.append({ event: EVENTS.retired, version, kid, location, reason });
    }
  });
}

/** A version with the end that its grace window should have, in milliseconds since the epoch. */
interface Overlong {
  readonly row: Version;
  readonly until: number;
}

/**
 * Grace windows that a clock which was ahead has set: once it is right they would be open for as long as it was ahead,
 * and their own length. Those that machines share are the fleet's.
 */
export function overlongGrace(installation: Installation): Overlong[] {
  const rows = installation.versions.previous().filter(({ location }) => location !== "etcd");
  if (rows.length === 0) return [];
  const now = installation.now();
  const every = installation.versions.every();
  return rows.flatMap((row): Overlong[] => {
    const began = every.find(({ replaces }) => replaces === row.version)?.activated_at ?? 0;
    const length = (row.grace_until ?? 0) - began;
    // When it began is in the future; and one that was shortened before ends before that.
    const isOverlong = isAhead(began, now) && length > 0 && now + length <= began;
    return isOverlong ? [{ row, until: now + length }] : [];
  });
}

/** Lets them last for their own length from now on. Call it under the lock. */
export async function shortenGrace(installation: Installation): Promise<void> {
  const overlong = overlongGrace(installation);
  if (overlong.length === 0) return;
  const audit = await installation.audit();
  installation.database.transaction(() => {
    for (const { row, until } of overlong) {
      const { version, kid, location } = row;
      installation.versions.supersede(row, until);
      const reason = `the clock was ahead: its grace window ends at ${rfc3339(until)}`;
      audit.append({ event: EVENTS.rotationRecovered, version, kid, location, reason });
    }
  });
}
