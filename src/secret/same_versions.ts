import type { MaybeAsync } from "../core/async.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import { inGrace } from "./grace.ts";

// More than that many rotations, each during one look, are a load test.
const MOST_TRIES = 10;

/**
 * Looks at what takes several looks, such as into the keyring, files and the database. When a version has changed
 * meanwhile, they do not fit together, or fail: then it looks again.
 *
 * @param mark gives {@linkcode versionsMark}, before and after each look.
 * @param isSound whether a result counts although a version has changed; default: none does.
 */
export async function ofSameVersions<T>(
  mark: () => MaybeAsync<string>,
  look: () => MaybeAsync<T>,
  isSound: (seen: T) => boolean = () => false,
): Promise<T> {
  for (let tries = 1;; tries++) {
    const before = await mark();
    const isLast = async () => tries === MOST_TRIES || before === await mark();
    try {
      const seen = await look();
      if (isSound(seen) || await isLast()) return seen;
    } catch (error) {
      if (!isRekeyError(error) || await isLast()) throw error;
    }
  }
}

/** A text that changes with the versions that verify or are prepared: their states, places, dates and grace windows. */
export function versionsMark(installation: Installation): string {
  const { database, versions } = installation;
  return JSON.stringify(
    database.snapshot(() => [versions.current(), versions.prepared(), inGrace(installation)]),
  );
}
