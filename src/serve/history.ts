import {
  hasHistoryToRecord,
  type History,
  historyOf,
  type Period,
  recordHistory,
} from "../audit/history.ts";
import { isRekeyError } from "../core/errors.ts";
import type { SecretManager } from "../secret/manager.ts";

const MINUTE_MS = 60_000;

// Several open pages must not compute the same again and again.
const KEPT_MS = 5_000;

// A commit of another process takes an instant; after a longer one the next second tries again.
const WAIT_MS = 100;

/** Records the history of the figures while the server runs, and reads it. */
export class HistoryKeeper {
  #seen = -Infinity;
  #steady: number | undefined;
  readonly #kept = new Map<Period, { until: number; history: Promise<History> }>();

  constructor(private readonly secrets: SecretManager) {}

  /** Runs every second: records a minute that has ended. @throws {RekeyError} when the database cannot be read. */
  async tick(): Promise<void> {
    const { installation } = await this.secrets.open();
    const minute = Math.floor(installation.now() / MINUTE_MS) * MINUTE_MS;
    if (minute !== this.#seen) await this.#record(minute);
  }

  /** Records the minute that has begun: the server ends. */
  async stop(): Promise<void> {
    const { installation } = await this.secrets.open();
    await this.#record(Math.ceil(installation.now() / MINUTE_MS) * MINUTE_MS);
  }

  async #record(minute: number): Promise<void> {
    const { installation: { database } } = await this.secrets.open();
    try {
      if (hasHistoryToRecord(database, minute)) {
        const record = () => recordHistory(database, minute, this.#steady);
        database.transaction(record, { waitMs: WAIT_MS, durable: false });
      }
    } catch (error) {
      if (isRekeyError(error, "busy")) return;
      throw error;
    }
    [this.#seen, this.#steady] = [minute, minute];
  }

  /** The history of a period, at most five seconds old. @throws {RekeyError} when the database cannot be read. */
  of(period: Period): Promise<History> {
    const kept = this.#kept.get(period);
    if (kept !== undefined && performance.now() < kept.until) return kept.history;
    const history = this.#read(period);
    this.#kept.set(period, { until: performance.now() + KEPT_MS, history });
    history.catch(() => this.#kept.delete(period));
    return history;
  }

  async #read(period: Period): Promise<History> {
    this.secrets.refresh();
    await this.secrets.flushNotes();
    const { installation } = await this.secrets.open();
    return historyOf(installation.database, period, installation.now());
  }
}
