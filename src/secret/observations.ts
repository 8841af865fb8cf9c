import type { AuditEntry } from "../audit/events.ts";
import { countVerdict } from "../audit/counts.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";

/**
 * Retrievals and verifications of this process that are not in the log yet. If the log cannot be written, the retrievals
 * are dropped.
 */
export class Observations {
  readonly #retrievals: AuditEntry[] = [];
  readonly #verdicts = new Map<string, number>();

  /** Records a retrieval. */
  readonly retrieved = (entry: AuditEntry): void => {
    this.#retrievals.push(entry);
  };

  /** Counts verifications. @param result `valid`, or the error code. */
  verified(result: string, count: number): void {
    this.#verdicts.set(result, (this.#verdicts.get(result) ?? 0) + count);
  }

  /** Discards all of them. */
  forget(): void {
    this.#retrievals.length = 0;
    this.#verdicts.clear();
  }

  get areNone(): boolean {
    return this.#retrievals.length + this.#verdicts.size === 0;
  }

  /** Writes them to the log. @returns `false` when it cannot be written; the retrievals are lost then. */
  async flush(open: () => Installation | undefined, waitMs: number): Promise<boolean> {
    const [retrievals, verdicts] = [[...this.#retrievals], [...this.#verdicts]];
    this.forget();
    try {
      const installation = open();
      if (installation?.versions.current() === undefined) return true;
      const audit = await installation.audit();
      installation.database.transaction(() => {
        for (const entry of retrievals) audit.append(entry);
        for (const [result, count] of verdicts) countVerdict(installation.database, result, count);
      }, { waitMs, durable: false });
      return true;
    } catch (error) {
      if (!isRekeyError(error)) throw error;
      // Counts take no space, and a server writes them the next time.
      for (const [result, count] of verdicts) this.verified(result, count);
      return false;
    }
  }
}
