import type { DatabaseSync, StatementSync } from "node:sqlite";
import { WalIndex } from "./wal_index.ts";

/** Tells of one connection whether anything was committed to its database since the last look. */
export class ChangeCounter {
  #commits = 0;
  #dataVersion: StatementSync | undefined;
  #index: WalIndex | undefined;
  // The last result, as long as the index says that it is still right.
  #last: string | undefined;

  /** @param explain runs what asks SQLite, and explains its errors. */
  constructor(
    private readonly sqlite: DatabaseSync,
    private readonly explain: <T>(work: () => T) => T,
  ) {}

  /** A text that changes with every commit of this and other connections: `PRAGMA data_version` counts the others. */
  now(): string {
    // The index is looked at first: a commit between the two looks is found by the next call.
    if (this.#index?.isAsBefore() && this.#last !== undefined) return this.#last;
    this.#last = undefined;
    const change = this.explain(() => {
      const statement = this.#dataVersion ??= this.sqlite.prepare("PRAGMA data_version");
      return `${statement.get()!.data_version}.${this.#commits}`;
    });
    // That of a snapshot may be older than what the index has shown.
    if (!this.sqlite.isTransaction) this.#last = change;
    return change;
  }

  /** Counts a commit of this connection. */
  committed(): void {
    this.#commits++;
  }

  /** Makes {@linkcode now} quick where the system has a way. @param path of the database. */
  lookOften(path: string): void {
    // SQLite maps its index with the first read.
    this.now();
    this.close();
    this.#index = WalIndex.of(path);
  }

  close(): void {
    this.#index?.close();
    this.#index = undefined;
  }
}
