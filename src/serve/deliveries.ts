import { asRefusal } from "../core/errors.ts";
import type { DeliveryOutcome } from "../deliver/deliver.ts";
import { DeliveryKeeper } from "../deliver/keeper.ts";
import type { ServerContext } from "./server_context.ts";

/** What {@linkcode ServedDeliveries} needs. */
interface DeliveriesContext extends Pick<ServerContext, "warn" | "remark"> {
  readonly managers: Pick<ServerContext["managers"], "secrets">;
}

/** Keeps deliveries up to date while the server runs, and tells the operator of each change once. */
export class ServedDeliveries {
  readonly #keeper: DeliveryKeeper;
  readonly #told = new Map<string, string | null>();
  #trouble: string | undefined;

  constructor(private readonly context: DeliveriesContext) {
    this.#keeper = new DeliveryKeeper(context.managers.secrets);
  }

  /** Runs every second. */
  async tick(): Promise<void> {
    try {
      this.tell(await this.#keeper.tick());
      this.#trouble = undefined;
    } catch (error) {
      const { code, message, retryAfter } = asRefusal(error);
      // Another file took the database's place: the next tick looks into that one.
      if (retryAfter === 0) return;
      if (this.#trouble !== code) this.context.warn(`deliveries wait: ${message}`);
      this.#trouble = code;
    }
  }

  /** Tells what has become of deliveries. */
  tell(outcomes: readonly DeliveryOutcome[]): void {
    for (const { name, worked, remark, state: { failure, confirmed } } of outcomes) {
      if (!worked || (failure !== null && this.#told.get(name) === failure)) continue;
      this.#told.set(name, failure);
      if (failure !== null) this.context.warn(`${name} has not followed: ${failure}`);
      else this.context.remark(`${name} has followed: kid ${confirmed.join(", ")}`);
      if (remark !== undefined) this.context.warn(`${name}: ${remark}`);
    }
  }
}
