/** Where a guard and what it needs is. */
export interface Place {
  /** Path of the delivered keys. */
  readonly keys: string;
  /** Host and port of the application behind it. */
  readonly app: string;
  /** Where it listens; any free one unless it is given. */
  readonly port?: number;
}
