import { type AuditEvent, EVENTS } from "../audit/events.ts";
import { delay } from "../core/async.ts";
import type { Installation } from "../store/installation.ts";
import { Deliveries, type DeliveryState } from "../store/sqlite/deliveries.ts";

interface StateChange {
  readonly name: string;
  readonly state: DeliveryState;
  readonly event: AuditEvent | undefined;
  readonly reason: string | undefined;
}

// Many deliveries change at once, and each commit waits for the disk.
const GATHER_MS = 2;

/** Writes the states of deliveries, several in one transaction. */
export class Records {
  #waiting: StateChange[] = [];
  #writing: Promise<void> | undefined;

  constructor(private readonly installation: Installation) {}

  /** Sets a state. It is on disk when the promise resolves. @param event for the audit log. */
  async set(
    name: string,
    state: DeliveryState,
    event?: AuditEvent,
    reason?: string,
  ): Promise<void> {
    this.#waiting.push({ name, state, event, reason });
    await (this.#writing ??= this.#write());
  }

  async #write(): Promise<void> {
    await delay(GATHER_MS);
    const changes = this.#waiting;
    this.#waiting = [];
    this.#writing = undefined;
    const { database } = this.installation;
    const audit = changes.some(({ event }) => event !== undefined)
      ? await this.installation.audit()
      : undefined;
    database.transaction(() => {
      const rows = new Deliveries(database);
      for (const { name, state, event, reason } of changes) {
        rows.setState(name, state);
        if (event === undefined) continue;
        audit?.append({ event, reason: reason === undefined ? name : `${name}: ${reason}` });
      }
    });
  }
}

/** The event of a state that replaces another one: it has followed, or has failed in another way than before. */
export function eventOf(before: DeliveryState, after: DeliveryState): AuditEvent | undefined {
  if (after.failure !== null) {
    return before.failure === after.failure ? undefined : EVENTS.deliveryFailed;
  }
  return after.mark === null || after.mark === before.mark ? undefined : EVENTS.delivered;
}
