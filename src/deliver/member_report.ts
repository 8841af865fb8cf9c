import { asRefusal } from "../core/errors.ts";
import type { DeliveryReport } from "../cluster/members.ts";
import type { Installation } from "../store/installation.ts";
import { Deliveries } from "../store/sqlite/deliveries.ts";
import { holdsMany } from "./delivery.ts";
import { type DeliveryProgress, progressOf } from "./sync.ts";

// A file that something else has changed or deleted is noticed by then, though the database tells nothing of it.
const KEPT_MS = 5_000;

// A line in etcd stays short.
const MOST_NAMES = 10;

/** What other machines are told of the deliveries of this one. Looks at rows and files, and asks no program. */
export class DeliveryReports {
  #kept: { key: string; at: number; from: Installation; report: DeliveryReport } | undefined;

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** The present report; `undefined` without deliveries. It costs little when nothing has changed. */
  async of(installation: Installation): Promise<DeliveryReport | undefined> {
    try {
      if (new Deliveries(installation.database).count() === 0) return undefined;
      // Before the look: a change during it is found by the next one.
      const [key, at] = [installation.database.change(), this.now()];
      const kept = this.#kept;
      if (kept?.from === installation && kept.key === key && at - kept.at < KEPT_MS) {
        return kept.report;
      }
      const pending = installation.versions.prepared()?.kid;
      const report = reportOf(await progressOf(installation), pending);
      this.#kept = { key, at, from: installation, report };
      return report;
    } catch (error) {
      asRefusal(error);
      return UNREADABLE;
    }
  }
}

const UNREADABLE: DeliveryReport = { behind: 1, names: [], prepared: null };

/** @param pending kid of the prepared version. */
function reportOf(
  progress: readonly DeliveryProgress[],
  pending: string | undefined,
): DeliveryReport {
  const behind = progress.filter(({ isUpToDate }) => !isUpToDate);
  // One whose program does not know the algorithm of the prepared version never has it.
  const isHeld = pending !== undefined &&
    progress.filter(({ delivery }) => holdsMany(delivery))
      .every(({ isUpToDate, wanted }) => isUpToDate && wanted.includes(pending));
  return {
    behind: behind.length,
    names: behind.slice(0, MOST_NAMES).map(({ delivery: { name } }) => name),
    prepared: isHeld ? pending : null,
  };
}
