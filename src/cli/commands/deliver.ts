import { usageError } from "../../core/errors.ts";
import { addDelivery } from "../../deliver/add.ts";
import { removeDelivery } from "../../deliver/remove.ts";
import { describeDeliveries } from "../../deliver/description.ts";
import type { Delivery } from "../../deliver/delivery.ts";
import type { DeliveryOutcome } from "../../deliver/deliver.ts";
import {
  deliveryLock,
  keysVerifyingNow,
  mustHaveFollowed,
  progressOf,
  sync,
} from "../../deliver/sync.ts";
import type { Installation } from "../../store/installation.ts";
import { LOCK_TIMEOUT_MS } from "../../core/limits.ts";
import { warnOfLeftFiles, warnOfOutcomes } from "../deliveries_report.ts";
import type { Context } from "../context.ts";
import { printable } from "../format.ts";
import { type DeliverAddFlags, newDeliveryFrom } from "./deliver_input.ts";
import { watchDeliveries } from "./deliver_watch.ts";

/** Adds a delivery, and writes it. */
export async function deliverAdd(flags: DeliverAddFlags, context: Context): Promise<void> {
  const { secrets } = context;
  const { name, force = false } = flags;
  const given = await newDeliveryFrom(flags, context);
  const { installation } = await secrets.openFresh();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  await addDelivery(installation, given);
  const outcomes = await sync(secrets, { names: [name], force });
  await report(outcomes, context, "Added");
}

/** Flags of `rekey deliver sync`. */
export interface DeliverSyncFlags {
  readonly name: readonly string[];
  readonly force?: boolean;
  readonly watch?: boolean;
}

/** Brings deliveries up to date. */
export async function deliverSync(options: DeliverSyncFlags, context: Context): Promise<void> {
  const { secrets } = context;
  const { name: names, force, watch } = options;
  if (watch) {
    if (names.length === 0) return await watchDeliveries(context);
    throw usageError("Cannot use --watch with a name", "It watches all deliveries");
  }
  const { installation } = await secrets.openFresh();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  await report(await sync(secrets, { names, force }), context, "Followed:");
}

/** Asks every program. */
export async function deliverCheck(
  { name: names }: { name: readonly string[] },
  context: Context,
): Promise<void> {
  const { secrets } = context;
  const { installation } = await secrets.openFresh();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  const before = await keysVerifyingNow(secrets);
  await report(await sync(secrets, { names, before, checkOnly: true }), context, "Checked");
}

// Prints how far deliveries have come; one that has not followed is exit status 5.
async function report(
  outcomes: readonly DeliveryOutcome[],
  context: Context,
  did: string,
): Promise<void> {
  const { output, secrets } = context;
  const { installation } = await secrets.open();
  const names = outcomes.map(({ name }) => name);
  const progress = names.length === 0 ? [] : await progressOf(installation, names);
  for (const [at, facts] of describeDeliveries(installation, progress).entries()) {
    if (output.options.json) output.line(facts);
    else if (facts.failure === null) {
      const kids = facts.confirmed.join(", ");
      output.result({}, [`${did} ${facts.name}: ${printable(facts.path)} (kid ${kids})`]);
    } else if (did === "Added") {
      // So that it is not added again.
      const when = knowsCurrent(installation, progress[at]!.delivery)
        ? "once its program runs, `rekey deliver sync` is enough"
        : "it gets a key as soon as there is one that it knows";
      output.remark(`${facts.name} is added: ${when}`);
    }
  }
  warnOfOutcomes(outcomes, output);
  mustHaveFollowed(outcomes);
}

function knowsCurrent({ versions }: Installation, { preset: { algorithms } }: Delivery): boolean {
  const alg = versions.current()?.alg;
  return alg === undefined || algorithms.includes(alg);
}

/** Ends a delivery. */
export async function deliverRemove(
  { name, keepFiles = false }: { name: string; keepFiles?: boolean },
  { secrets, output }: Context,
): Promise<void> {
  const { installation } = await secrets.open();
  using _lock = await deliveryLock(installation, LOCK_TIMEOUT_MS);
  const { files, foreign } = await removeDelivery(installation, name, keepFiles);
  const what = files.length === 0
    ? "this machine has no files of it"
    : keepFiles
    ? "its files stay, with the keys in them"
    : foreign.length === 0
    ? "its files are deleted"
    : "what is not rekey's stays";
  output.result({ name, files, files_kept: keepFiles, files_left: foreign }, [
    `Removed ${name}: ${what}`,
  ]);
  warnOfLeftFiles(foreign, output);
}
