import { EVENTS } from "../audit/events.ts";
import { listAudit } from "../audit/reader.ts";
import { isAhead } from "./age.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Installation } from "../store/installation.ts";

/** Says when the next rotation will be made, milliseconds since the epoch, so that users can be told. */
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

/** Takes an announcement back. Answers `false` when it is over, or when there is another one. */
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

/** When the next rotation was said to be made, milliseconds since the epoch; `null` when nobody has said. */
export function announced(installation: Installation): number | null {
  const at = Number(installation.meta.get("announced") ?? NaN);
  const now = installation.now();
  // Whoever wanted to make it was killed, if it is over.
  return at > now && !wasAnnouncedLater(installation, now) ? at : null;
}

// By a clock that was ahead: no command has waited for so long.
function wasAnnouncedLater({ database }: Installation, now: number): boolean {
  const [row] = listAudit(database, 1, { event: [EVENTS.rotationAnnounced] });
  return row !== undefined && isAhead(Date.parse(row.time), now);
}
