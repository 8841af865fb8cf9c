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

/** Older versions that still verify. */
export function inGrace(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter((row) => isOpenAt(row, now));
}

/** Versions whose grace window is over and whose values are not destroyed yet. */
export function expired(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter((row) => !isOpenAt(row, now));
}

/** Ends grace windows and destroys their values, in one transaction. Call it under the lock. */
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

/** A version and the correct end of its grace window, in milliseconds since the epoch. */
interface Overlong {
  readonly row: Version;
  readonly until: number;
}

/**
 * Local grace windows that were set while the clock was ahead: after its correction they would stay open too long, by
 * the amount that it was ahead.
 */
export function overlongGrace(installation: Installation): Overlong[] {
  const rows = installation.versions.previous().filter(({ location }) => location !== "etcd");
  if (rows.length === 0) return [];
  const now = installation.now();
  const every = installation.versions.every();
  return rows.flatMap((row): Overlong[] => {
    const began = every.find(({ replaces }) => replaces === row.version)?.activated_at ?? 0;
    const length = (row.grace_until ?? 0) - began;
    // It began in the future, and was not shortened already.
    const isOverlong = isAhead(began, now) && length > 0 && now + length <= began;
    return isOverlong ? [{ row, until: now + length }] : [];
  });
}

/** Shortens such windows to their own length from now on. Call it under the lock. */
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
