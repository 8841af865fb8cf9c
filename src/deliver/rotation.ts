import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { LOCK_TIMEOUT_MS } from "../core/limits.ts";
import type { Algorithm } from "../core/algorithms.ts";
import { isFollowed } from "../secret/followed.ts";
import type { Changed, RotateOptions } from "../secret/backend.ts";
import { valueForRotation } from "../secret/rotate.ts";
import { untilFilesHold, untilFilesLackEnded } from "../secret/keys_files.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Installation } from "../store/installation.ts";
import { Deliveries, isBegun } from "../store/sqlite/deliveries.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { overtaken } from "../secret/recover.ts";
import type { DeliveryOutcome } from "./deliver.ts";
import { STOPPED } from "./delivery_round.ts";
import { probeWay, withPreset } from "./delivery.ts";
import type { DeliveredKey } from "./key_set.ts";
import { isSilence } from "./probe.ts";
import type { PendingKey } from "./key_source.ts";
import {
  deliveryLock,
  failuresOf,
  keysVerifyingNow,
  lockIfFree,
  selected,
  sync,
  syncWhenFree,
} from "./sync.ts";
import { Trial } from "./trial.ts";

/** A rotation, and how far each delivery has come. */
export interface DeliveredRotation {
  readonly changed: Changed;
  readonly outcomes: readonly DeliveryOutcome[];
}

/** Options of {@linkcode rotateWithDeliveries}. */
export interface DeliveredRotateOptions extends RotateOptions {
  /** Whether a program that does not follow before the commit stops nothing. */
  readonly forceDeliveries?: boolean | undefined;
}

/** How the rotation itself is made. */
interface RotationWays {
  readonly rotate?: (options: RotateOptions) => Promise<Changed>;
  readonly activate?: (() => Promise<Changed>) | undefined;
}

/**
 * Rotates so that no program refuses a valid token. With a grace period, verifiers that hold several keys get the next
 * one and prove it, before it becomes the current one; then the others follow. Without one, all follow after the commit.
 *
 * @param rotate makes the rotation.
 * @param activate makes the prepared version the current one instead; verifiers have it already.
 * @returns also the deliveries that have not followed after the commit.
 * @throws {RekeyError} as `rotate` does; `check_failed` when a program has not followed before the commit, or does not
 * know the new algorithm: nothing is changed then, and programs hold what they held.
 */
export async function rotateWithDeliveries(
  secrets: SecretManager,
  options: DeliveredRotateOptions,
  { rotate = (options) => secrets.rotate(options), activate }: RotationWays = {},
): Promise<DeliveredRotation> {
  const opened = await secrets.open();
  const { installation } = opened;
  const isGraceful = (options.graceMs ?? 0) > 0;
  const isDelivered = new Deliveries(installation.database).count() > 0;
  if (isDelivered && !options.forceDeliveries) {
    const alg = activate ? preparedAlgorithm(installation) : options.alg;
    await mustKnowAlgorithm(installation, alg, isGraceful);
  }
  // Before any lock is taken.
  const { makeValue = activate ? undefined : await valueForRotation(opened, options) } = options;
  const make: MakeChange = (beforeCommit) =>
    activate?.() ?? rotate({ ...options, makeValue, beforeCommit });
  if (!isDelivered) {
    const changed = await make(isGraceful ? filesHold(installation) : undefined);
    await untilFilesLackEnded(installation);
    return { changed, outcomes: [] };
  }
  if (isGraceful || activate) return await onceFollowed(secrets, options, make, !activate);
  const lockMs = options.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
  const { result, outcomes } = await endAndFollow(secrets, make, lockMs, isFollowed);
  return { changed: result, outcomes };
}

type MakeChange = (beforeCommit?: RotateOptions["beforeCommit"]) => Promise<Changed>;

const filesHold = (installation: Installation) => (next: Version) =>
  untilFilesHold(installation, next);

/** @param isNew whether the key is made by the change, and not prepared before. */
async function onceFollowed(
  secrets: SecretManager,
  { lockTimeoutMs = LOCK_TIMEOUT_MS, forceDeliveries = false }: DeliveredRotateOptions,
  make: MakeChange,
  isNew: boolean,
): Promise<DeliveredRotation> {
  const { installation } = await secrets.open();
  // Until the end: another process would take the next key away from the verifiers before the commit.
  using _lock = await deliveryLock(installation, lockTimeoutMs);
  const before = await keysAskedAbout(secrets, installation);
  const first = new FirstPhase(secrets, forceDeliveries);
  if (!isNew) await first.run();
  const changed = await first.guarding(() =>
    make(async (version, secret, signal) => {
      await first.run({ version, secret }, signal);
      await filesHold(installation)(version);
    })
  );
  // A machine that does not know of its own change yet would take the next key away again.
  const outcomes = isFollowed(changed) ? await sync(secrets, { before, onlyBegun: true }) : [];
  await untilFilesLackEnded(installation);
  return { changed, outcomes };
}

/**
 * Checks that every program can hold a key of another algorithm before it is made. A program that does not know the one
 * in use has no key now either, and stops no rotation that keeps it.
 *
 * @param alg `undefined`: it stays as it is.
 * @param isGraceful whether programs then hold the current key besides.
 * @throws {RekeyError} `check_failed` that names the deliveries whose program does not.
 */
export async function mustKnowAlgorithm(
  installation: Installation,
  alg: Algorithm | undefined,
  isGraceful: boolean,
): Promise<void> {
  const current = installation.versions.current();
  if (alg === undefined || alg === current?.alg || current === undefined) return;
  const deliveries = await Promise.all(selected(installation).map(withPreset));
  const trial = new Trial(current, alg, isGraceful);
  const named: string[] = [];
  for (const delivery of deliveries) {
    const why = await trial.whyUnfit(delivery);
    if (why !== undefined) named.push(`${delivery.name}: ${why}`);
  }
  if (named.length === 0) return;
  throw new RekeyError("check_failed", `Not rotated: ${named.join("; ")}`, {
    hint: "Nothing was changed. Name another --alg, or rotate all the same with --force-deliveries",
  });
}

const preparedAlgorithm = ({ versions }: Installation) => versions.prepared()?.alg;

// Whoever delivers stops for an incident; however short the wait for the lock of rotations is.
const STOPS_WITHIN_MS = 3_000;

// A process that delivers at present may be waiting for a program that hangs: the versions end all the same.
async function endAndFollow<T>(
  secrets: SecretManager,
  end: () => Promise<T>,
  lockMs: number,
  isKnown: (result: T) => boolean = () => true,
): Promise<{ result: T; outcomes: readonly DeliveryOutcome[] }> {
  const { installation } = await secrets.open();
  const lock = await lockIfFree(installation, 0);
  try {
    const before = await keysAskedAbout(secrets, installation);
    const result = await end();
    const follow = () =>
      lock === undefined
        ? syncWhenFree(secrets, before, Math.max(lockMs, STOPS_WITHIN_MS))
        : sync(secrets, { before, onlyBegun: true });
    // A machine that does not know of its own change yet has nothing to deliver.
    const outcomes = isKnown(result) ? await follow() : [];
    await untilFilesLackEnded(installation);
    return { result, outcomes };
  } finally {
    lock?.[Symbol.dispose]();
  }
}

/** Before the commit. */
class FirstPhase {
  #isBegun = false;
  #silent: readonly string[] = [];

  constructor(private readonly secrets: SecretManager, private readonly force: boolean) {}

  /** @throws {RekeyError} `check_failed` when a program does not follow, `overtaken` when an incident ends this. */
  async run(pending?: PendingKey, signal?: AbortSignal): Promise<void> {
    this.#isBegun = true;
    const outcomes = await sync(this.secrets, { pending, onlyBegun: true, signal });
    if (outcomes.some(({ state: { failure } }) => failure === STOPPED)) throw overtaken();
    this.#silent = outcomes.filter(({ state }) => isSilence(state.failure)).map(({ name }) => name);
    const failures = begunFailures(outcomes);
    if (failures.length === 0 || this.force) return;
    const used = pending === undefined
      ? ""
      : `; number ${pending.version.version} is not used again`;
    throw new RekeyError("check_failed", `Not rotated: ${failures.join("; ")}`, {
      hint:
        `Nothing was changed${used}. Fix that program, or rotate all the same with --force-deliveries`,
    });
  }

  /**
   * After a failure, programs get back what they held. What that fails at is recorded, and not thrown. An incident has
   * them follow itself, and waits for the end of this.
   */
  async guarding<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (this.#isBegun && !isRekeyError(error, "overtaken")) {
        await sync(this.secrets, { onlyBegun: true, silent: this.#silent }).catch(asRefusal);
      }
      throw error;
    }
  }
}

// A program that never got keys from this machine refuses no token that it accepts now.
function begunFailures(outcomes: readonly DeliveryOutcome[]): string[] {
  return failuresOf(outcomes.filter(isBegun));
}

// Values are read only where a program is asked whether it refuses them.
async function keysAskedAbout(
  secrets: SecretManager,
  installation: Installation,
): Promise<DeliveredKey[]> {
  const deliveries = await Promise.all(selected(installation).map(withPreset));
  return deliveries.some((one) => probeWay(one) !== undefined)
    ? await keysVerifyingNow(secrets)
    : [];
}

/**
 * Runs work that may end versions, such as `revoke`, and has every program follow.
 *
 * @returns its result, and how far each delivery has come.
 */
export async function withDeliveries<T>(
  secrets: SecretManager,
  work: () => Promise<T>,
): Promise<{ result: T; outcomes: readonly DeliveryOutcome[] }> {
  const { installation } = await secrets.open();
  if (new Deliveries(installation.database).count() === 0) {
    const result = await work();
    await untilFilesLackEnded(installation);
    return { result, outcomes: [] };
  }
  return await endAndFollow(secrets, work, LOCK_TIMEOUT_MS);
}
