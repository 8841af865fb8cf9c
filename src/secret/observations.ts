import type { AuditEntry } from "../audit/events.ts";
import { countVerdict } from "../audit/figures.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";

/**
 * Retrievals and verifications of this process that are not written down yet. They are observations, not changes: when
 * the log cannot be written just now they are dropped.
 */
export class Observations {
  readonly #retrievals: AuditEntry[] = [];
  readonly #verdicts = new Map<string, number>();

  /** Takes note of a retrieval. */
  readonly retrieved = (entry: AuditEntry): void => {
    this.#retrievals.push(entry);
  };

  /** Counts verifications. @param result `valid`, or the error code. */
  verified(result: string, count: number): void {
    this.#verdicts.set(result, (this.#verdicts.get(result) ?? 0) + count);
  }

  /** Forgets what is not written down. */
  forget(): void {
    this.#retrievals.length = 0;
    this.#verdicts.clear();
  }

  get areNone(): boolean {
    return this.#retrievals.length + this.#verdicts.size === 0;
  }

  /** Writes them down, and forgets them. Answers `false` when that cannot be done. */
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
      if (isRekeyError(error)) return false;
      throw error;
    }
  }
}
