import type { AuditRow } from "../audit/events.ts";

/** Something that rows of the audit log are sent to. */
export interface Sink extends Disposable {
  /**
   * Sends rows, in order, until a time of `performance.now()`.
   *
   * @param had called with the number of a row once that row and all before it have surely arrived.
   * @throws {RekeyError} when it cannot be used. Rows that were not reported may have arrived too.
   */
  send(rows: readonly AuditRow[], until: number, had: (seq: number) => void): Promise<void>;
  /** Changes when something else is in its place, so that a sink that has failed may work again. */
  identity(): string | undefined;
}
