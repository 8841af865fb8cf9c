import { EVENTS } from "../audit/events.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { isAhead } from "./age.ts";

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
