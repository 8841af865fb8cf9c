import { isRekeyError, type RekeyError } from "../core/errors.ts";

/** How long a value that could not be read is not asked for again. */
const KEPT_MS = 500;

/**
 * Values that could not be read just now. Whoever can connect may ask for them, with no token at all (the public keys)
 * or with a forged one; each try is a row of the audit log.
 */
export class FailedValues {
  readonly #failures = new Map<string, { error: RekeyError; until: number }>();

  /** @param passing codes that are not kept: what they are about is paced elsewhere. */
  constructor(private readonly passing: readonly RekeyError["code"][]) {}

  /** Reads a value, unless that has failed within half a second. @throws {RekeyError} why it cannot be read. */
  async read<T>(kid: string, read: () => Promise<T>): Promise<T> {
    const failed = this.#failures.get(kid);
    if (failed !== undefined && performance.now() < failed.until) throw failed.error;
    this.#failures.delete(kid);
    try {
      return await read();
    } catch (error) {
      if (isRekeyError(error) && !isRekeyError(error, ...this.passing)) {
        this.#failures.set(kid, { error, until: performance.now() + KEPT_MS });
      }
      throw error;
    }
  }
}
