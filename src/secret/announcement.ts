import { EVENTS } from "../audit/events.ts";
import { listAudit } from "../audit/reader.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Installation } from "../store/installation.ts";
import { isAhead } from "./age.ts";

/** Announces the next rotation. @param at milliseconds since the epoch. */
export async function announce(
  installation: Installation,
  at: number,
  reason?: string,
): Promise<void> {
  const { database, meta } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    meta.set("announced", String(at));
    const why = reason === undefined ? "" : `: ${reason}`;
    audit.append({ event: EVENTS.rotationAnnounced, reason: `for ${rfc3339(at)}${why}` });
  });
}

/** Withdraws an announcement. @returns `false` when it is over or was replaced. */
export async function withdraw(
  installation: Installation,
  at: number,
  reason?: string,
): Promise<boolean> {
  const { database, meta } = installation;
  const audit = await installation.audit();
  return database.transaction(() => {
    if (meta.get("announced") !== String(at)) return false;
    meta.remove("announced");
    audit.append({ event: EVENTS.rotationCancelled, reason });
    return true;
  });
}

/** Announced time of the next rotation, milliseconds since the epoch; `null` for no announcement. */
export function announced(installation: Installation): number | null {
  const at = Number(installation.meta.get("announced") ?? NaN);
  const now = installation.now();
  // A time in the past means that the command that announced it was killed.
  return at > now && !wasAnnouncedLater(installation, now) ? at : null;
}

// Whether a clock that was ahead made the announcement.
function wasAnnouncedLater({ database }: Installation, now: number): boolean {
  const [row] = listAudit(database, 1, { is: EVENTS.rotationAnnounced });
  return row !== undefined && isAhead(Date.parse(row.time), now);
}
