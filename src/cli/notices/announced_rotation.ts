import { rfc3339 } from "../../core/clock.ts";
import { asRefusal, isRekeyError, RekeyError } from "../../core/errors.ts";
import { announce, withdraw } from "../../secret/announcement.ts";
import { mustBeAbleToRotate } from "../../secret/next_rotation.ts";
import type { SecretManager } from "../../secret/manager.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import type { Context } from "../context.ts";
import type { RotationNotices } from "./rotation_notices.ts";
import { delay } from "../../core/async.ts";
import { SYSTEM } from "../../system/system.ts";

/**
 * Announces a rotation, waits, and makes it. If it is not made, the announcement is withdrawn.
 *
 * @param at milliseconds since the epoch.
 * @throws {RekeyError} `cancelled` when a signal ends the program before; errors of `make`.
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
    // The database may have been replaced meanwhile.
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
  output.remark(`The rotation is announced for ${rfc3339(at)}; Ctrl-C cancels it`);
  await interruption.unless(warnUnlessReady(version, notices, context).then(() => {}));
  await interruption.until(at);
}

/**
 * A scheduled run reports early that a rotation would fail, not only when it is due.
 *
 * @throws {RekeyError} `check_failed` when a rotation could not be made now.
 */
export async function requireReady(
  current: Version,
  notices: RotationNotices,
  context: Context,
): Promise<void> {
  const why = await warnUnlessReady(current, notices, context);
  if (why === undefined) return;
  throw new RekeyError(
    "check_failed",
    `Nothing to rotate yet, but a rotation would fail: ${why.message}`,
    { hint: why.hint ?? "`rekey doctor` looks closer", cause: why },
  );
}

/** Checks whether a rotation could be made now, and warns if not. @returns why not. */
async function warnUnlessReady(
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

// A rotation removes the announcement itself, and another command may have made a new one.
async function isLeft(at: number, reason: string | undefined, secrets: SecretManager) {
  try {
    return await withdraw((await secrets.open()).installation, at, reason);
  } catch (error) {
    // Without an available secret there will be no rotation.
    if (isRekeyError(error)) return true;
    throw error;
  }
}

// Timers stop while a machine sleeps, so the clock is checked at intervals.
const CLOCK_CHECK_MS = 30_000;

/** Listens for signals that end the program, from construction on. */
class Interruption implements Disposable {
  readonly #asked = Promise.withResolvers<never>();
  readonly #end = () =>
    this.#asked.reject(new RekeyError("cancelled", "Cancelled: nothing was changed"));

  constructor() {
    // A signal may arrive while nothing is awaited.
    this.#asked.promise.catch(() => {});
    SYSTEM.processes.stopSignals.forEach((signal) => Deno.addSignalListener(signal, this.#end));
  }

  /** Waits for `work`. @throws {RekeyError} `cancelled` when a signal arrives or has arrived. */
  async unless<T>(work: Promise<T>): Promise<T> {
    return await Promise.race([this.#asked.promise, work]);
  }

  /** Waits until a time, in milliseconds since the epoch. @throws {RekeyError} `cancelled`. */
  async until(at: number): Promise<void> {
    for (let left; (left = at - Date.now()) > 0;) {
      await this.unless(delay(Math.min(left, CLOCK_CHECK_MS)));
    }
  }

  [Symbol.dispose](): void {
    SYSTEM.processes.stopSignals.forEach((signal) => Deno.removeSignalListener(signal, this.#end));
  }
}
