import { rfc3339 } from "../../core/clock.ts";
import { asRefusal, isRekeyError, RekeyError } from "../../core/errors.ts";
import { announce, mustBeAbleToRotate, withdraw } from "../../secret/rotation_plan.ts";
import type { SecretManager } from "../../secret/manager.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import type { Context } from "../context.ts";
import type { RotationNotices } from "./rotation_notices.ts";
import { delay } from "../../core/async.ts";
import { HERE } from "../../system/here.ts";

/**
 * Announces a rotation, waits, and makes it. Whatever keeps it from being made takes the announcement back.
 *
 * @param at milliseconds since the epoch.
 * @throws {RekeyError} `cancelled` when the program is asked to end before; what `make` throws.
 */
export async function announceAndMake(
  at: number,
  reason: string | undefined,
  notices: RotationNotices,
  context: Context,
  make: () => Promise<void>,
): Promise<void> {
  const { secrets } = context;
  const { version } = await secrets.open();
  try {
    await announceAndWait(at, reason, version, notices, context);
    // Another database may have been put in its place meanwhile.
    secrets.refresh();
    await make();
  } finally {
    if (await isLeft(at, reason, secrets)) await notices.cancelled(version);
  }
}

async function announceAndWait(
  at: number,
  reason: string | undefined,
  version: Version,
  notices: RotationNotices,
  context: Context,
): Promise<void> {
  const { secrets, output } = context;
  using interruption = new Interruption();
  await announce((await secrets.open()).installation, at, reason);
  await interruption.unless(notices.announced(version, at));
  output.remark(`The rotation is announced for ${rfc3339(at)}; Ctrl-C takes that back`);
  await interruption.unless(warnUnlessReady(version, notices, context).then(() => {}));
  await interruption.until(at);
}

/** Looks ahead of a rotation whether it could be made now. @returns why it could not. */
export async function warnUnlessReady(
  current: Version,
  notices: RotationNotices,
  { secrets, store }: Context,
): Promise<RekeyError | undefined> {
  try {
    await mustBeAbleToRotate((await secrets.openFresh()).installation, store);
    return undefined;
  } catch (error) {
    const why = asRefusal(error);
    await notices.notReady(current, why);
    return why;
  }
}

// A rotation takes the announcement away itself, and another command may have made one of its own.
async function isLeft(at: number, reason: string | undefined, secrets: SecretManager) {
  try {
    return await withdraw((await secrets.open()).installation, at, reason);
  } catch (error) {
    // The secret is gone, or cannot be had: there is nobody to rotate it.
    if (isRekeyError(error)) return true;
    throw error;
  }
}

// A machine that sleeps does not count the time; it is asked again when it wakes up.
const LONGEST_NAP_MS = 30_000;

/** Listens for being asked to end, from its making on. */
class Interruption implements Disposable {
  readonly #asked = Promise.withResolvers<never>();
  readonly #end = () =>
    this.#asked.reject(new RekeyError("cancelled", "Cancelled: nothing was changed"));

  constructor() {
    // It may come while nobody waits for anything.
    this.#asked.promise.catch(() => {});
    HERE.processes.stopping.forEach((signal) => Deno.addSignalListener(signal, this.#end));
  }

  /** Waits for something. @throws {RekeyError} `cancelled` when the program is asked to end, or was before. */
  async unless<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([this.#asked.promise, work]);
  }

  /** Waits until a time of day has come: milliseconds since the epoch. @throws {RekeyError} `cancelled`. */
  async until(at: number): Promise<void> {
    for (let left; (left = at - Date.now()) > 0;) {
      await this.unless(delay(Math.min(left, LONGEST_NAP_MS)));
    }
  }

  [Symbol.dispose](): void {
    HERE.processes.stopping.forEach((signal) => Deno.removeSignalListener(signal, this.#end));
  }
}
