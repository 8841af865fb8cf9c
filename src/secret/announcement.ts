import { EVENTS } from "../audit/events.ts";
import { rfc3339 } from "../core/clock.ts";
import type { Installation } from "../store/installation.ts";

/**
 * Says when the next rotation will be made, so that users can be told.
 *
 * @param at milliseconds since the epoch; `null`: it will not be made.
 */
export async function announce(
  installation: Installation,
  at: number | null,
  reason?: string,
): Promise<void> {
  const { database, meta } = installation;
  const audit = await installation.audit();
  database.transaction(() => {
    if (at === null) {
      meta.remove("announced");
      return audit.append({ event: EVENTS.rotationCancelled, reason });
    }
    meta.set("announced", String(at));
    const why = reason === undefined ? "" : `: ${reason}`;
    audit.append({ event: EVENTS.rotationAnnounced, reason: `for ${rfc3339(at)}${why}` });
  });
}

/** When the next rotation was said to be made, milliseconds since the epoch; `null` when nobody has said. */
export function announced(installation: Installation): number | null {
  const at = Number(installation.meta.get("announced") ?? NaN);
  // Whoever wanted to make it was killed, if it is over.
  return at > installation.now() ? at : null;
}
