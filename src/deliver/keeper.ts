import { Backoff } from "../core/backoff.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Installation } from "../store/installation.ts";
import { Deliveries, isBegun } from "../store/sqlite/deliveries.ts";
import type { DeliveryOutcome } from "./deliver.ts";
import { probeWay } from "./delivery.ts";
import type { DeliveredKey } from "./key_set.ts";
import { deliveryLock, type DeliveryProgress, keysVerifyingNow, progressOf, sync } from "./sync.ts";

// A file that something else has changed or deleted is noticed by then, though the database tells nothing of it.
const LOOK_AT_FILES_MS = 5_000;

/** Keeps deliveries up to date in a program that goes on. */
export class DeliveryKeeper {
  readonly #backoffs = new Map<string, Backoff>();
  #known: { kids: string; keys: readonly DeliveredKey[] } = { kids: "", keys: [] };
  #seen: string | undefined;
  #lookedAt = -Infinity;

  constructor(
    private readonly secrets: SecretManager,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /**
   * Brings up to date what is behind, unless it has failed just before. To be called once a second; it costs little when
   * nothing has changed.
   *
   * @returns the deliveries for which something was done.
   * @throws {RekeyError} when the database cannot be used.
   */
  async tick(): Promise<DeliveryOutcome[]> {
    const { installation } = await this.secrets.open();
    if (!this.#isDue(installation)) return [];
    const progress = await progressOf(installation);
    const names = progress.filter(({ isUpToDate, delivery }) => !isUpToDate && isBegun(delivery))
      .map(({ delivery: { name } }) => name)
      .filter((name) => this.#backoffs.get(name)?.isOn !== true);
    const outcomes = names.length === 0 ? [] : await this.#sync(installation, names);
    await this.#remember(installation);
    return outcomes.filter(({ worked }) => worked);
  }

  #isDue({ database }: Installation): boolean {
    if (new Deliveries(database).count() === 0) return false;
    const change = database.change();
    const waits = [...this.#backoffs.values()].some(({ failure, isOn }) => failure && !isOn);
    const isOld = this.now() - this.#lookedAt >= LOOK_AT_FILES_MS;
    if (change === this.#seen && !waits && !isOld) return false;
    this.#seen = change;
    this.#lookedAt = this.now();
    return true;
  }

  async #sync(installation: Installation, names: string[]): Promise<DeliveryOutcome[]> {
    try {
      using _lock = await deliveryLock(installation, 0);
      const outcomes = await sync(this.secrets, { names, before: this.#known.keys });
      outcomes.forEach((outcome) => this.#note(outcome));
      return outcomes;
    } catch (error) {
      if (!isRekeyError(error, "busy")) throw error;
      // The other process does it; look again at the next tick.
      this.#seen = undefined;
      return [];
    }
  }

  #note({ name, state: { failure } }: DeliveryOutcome): void {
    const backoff = this.#backoffs.get(name) ?? new Backoff(this.now);
    this.#backoffs.set(name, backoff);
    if (failure === null) backoff.succeeded();
    else backoff.failed(new RekeyError("failed", failure));
  }

  // The keys of now, which programs must refuse once they have ended. Keys that a program may still hold are kept.
  async #remember(installation: Installation): Promise<void> {
    const progress = (await progressOf(installation)).filter(({ delivery }) => isBegun(delivery));
    const isAsked = progress.some(({ delivery }) => probeWay(delivery) !== undefined);
    if (!isAsked || progress.some(({ isUpToDate }) => !isUpToDate)) return;
    const kids = kidsOfAll(progress);
    if (kids === this.#known.kids) return;
    const keys = await keysVerifyingNow(this.secrets);
    // After a rotation meanwhile they are the keys of later versions: programs hold those that are known.
    if (kidsOfAll(await progressOf(installation)) === kids) this.#known = { kids, keys };
  }
}

function kidsOfAll(progress: readonly DeliveryProgress[]): string {
  return [...new Set(progress.flatMap(({ wanted }) => wanted))].sort().join();
}
