import { asRefusal } from "../core/errors.ts";
import type { DeliveryOutcome } from "../deliver/deliver.ts";
import type { DeliveryFacts } from "../deliver/description.ts";
import type { SecretManager } from "../secret/manager.ts";
import type { Environment } from "../store/environment.ts";
import { Installation } from "../store/installation.ts";
import { Deliveries, isBegun } from "../store/sqlite/deliveries.ts";
import { describeSeconds, printable } from "./format.ts";
import type { Output } from "./output.ts";

/** How far a delivery has come, with `--json`. */
export function describeOutcomes(outcomes: readonly DeliveryOutcome[]) {
  if (outcomes.length === 0) return {};
  return {
    deliveries: outcomes.map(({ name, wanted, state: { confirmed, failure } }) => ({
      ...{ name, wanted, confirmed, failure },
      followed: failure === null,
    })),
  };
}

/** Which programs have followed, for people. */
export function outcomesText(outcomes: readonly DeliveryOutcome[]): string[] {
  const names = outcomes.filter(({ state }) => state.failure === null).map(({ name }) => name);
  return names.length === 0 ? [] : [`Followed by ${names.join(", ")}`];
}

/** A delivery in a line. */
export function deliveryText(facts: DeliveryFacts): string {
  const { name, version, followed, probed, lag_seconds, failure } = facts;
  const held = version === null ? "nothing yet" : `version ${version}`;
  if (followed && !probed) {
    return `${name} has its file: ${held}; it has no probe, so it was not asked`;
  }
  if (followed) return `${name} has followed: ${held}`;
  const since = lag_seconds === null ? "" : ` for ${describeSeconds(lag_seconds)}`;
  return `${name} is behind${since}: it holds ${held}${failure === null ? "" : `; ${failure}`}`;
}

/** How many have not followed, for the line of a monitor. */
export function behindText(facts: readonly DeliveryFacts[]): string {
  const count = facts.filter(({ followed }) => !followed).length;
  return count === 0 ? "" : `, ${count} ${count === 1 ? "delivery" : "deliveries"} behind`;
}

/** Says what could not be found out. */
export function warnOfOutcomes(outcomes: readonly DeliveryOutcome[], output: Output): void {
  for (const { name, remark } of outcomes) {
    if (remark !== undefined) output.warning(`${name}: ${remark}`);
  }
}

/** Says which files were not deleted with their delivery. */
export function warnOfLeftFiles(paths: readonly string[], output: Output): void {
  for (const path of paths) {
    output.warning(
      `${
        printable(path)
      } stays: it is not what rekey wrote there; delete it if there is a key in it`,
    );
  }
}

/** Says after a restoration which deliveries wait for the operator. Another machine's paths and commands may be in them. */
export function warnOfDeliveriesToBegin(environment: Environment, output: Output): void {
  const found = Installation.openAsFound(environment);
  try {
    const names = found === undefined
      ? []
      : new Deliveries(found.database).all().filter((one) => !isBegun(one)).map(({ name }) => name);
    if (names.length === 0) return;
    output.warning(
      `nothing is delivered here yet: ${names.join(", ")}; look at \`rekey deliver list\`, ` +
        "then run `rekey deliver sync`, or `rekey deliver remove NAME`",
    );
  } finally {
    found?.close();
  }
}

// One that has failed is left to `deliver sync` and `serve` for a while: each command would wait for it.
const LEFT_ALONE_MS = 60_000;

/**
 * At the end of a command: brings deliveries up to date that are late, such as after the end of a grace period or a
 * killed rotation.
 */
export async function finishDeliveries(secrets: SecretManager, output: Output): Promise<void> {
  const { opened } = secrets;
  try {
    if (opened === undefined || new Deliveries(opened.database).count() === 0) return;
    const { deliveryLock, hasSynced, progressOf, sync } = await import("../deliver/sync.ts");
    if (hasSynced(secrets)) return;
    const now = opened.now();
    const names = (await progressOf(opened)).flatMap(
      ({ delivery: { name, state }, isUpToDate }) => {
        const isLeft = state.failed_at !== null && Math.abs(now - state.failed_at) < LEFT_ALONE_MS;
        return isUpToDate || isLeft || !isBegun({ state }) ? [] : [name];
      },
    );
    if (names.length === 0) return;
    using _lock = await deliveryLock(opened, 0);
    const outcomes = await sync(secrets, { names });
    for (const { name, worked, state: { failure } } of outcomes) {
      if (failure !== null) output.warning(`${name} has not followed: ${failure}`);
      else if (worked) output.remark(`${name} was late, and has followed now`);
    }
    warnOfOutcomes(outcomes, output);
  } catch (error) {
    // The command itself has succeeded, and later ones try again; another process may be at work on it.
    asRefusal(error);
  }
}
