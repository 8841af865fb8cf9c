import { mustKnowAlgorithm, withDeliveries } from "../../deliver/rotation.ts";
import type { Context } from "../context.ts";
import { describeOutcomes, outcomesText, warnOfOutcomes } from "../deliveries_report.ts";
import { confirmed, describeConfirmation, mustAllFollow } from "../confirmation.ts";
import { rfc3339 } from "../../core/clock.ts";
import type { Prepared } from "../../secret/backend.ts";
import type { Installation } from "../../store/installation.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import { valueAhead } from "../../secret/next_use.ts";
import { datesOf } from "../../secret/prepared_facts.ts";
import { describeVersion } from "../format.ts";
import { wantedKey } from "../key_flags.ts";
import type { RotateFlags } from "./rotate_flags.ts";

function whenText({ activatable_at }: Version): string {
  return activatable_at === null ? "" : `, which can be from ${rfc3339(activatable_at)} on`;
}

function printPrepared(
  { version, made }: Prepared,
  more: object,
  lines: readonly string[],
  { secrets, output }: Context,
): void {
  const app = secrets.environment.app.name;
  const facts = { ...describeVersion(app, version), prepared: true, alg: version.alg };
  const did = made ? "Prepared" : "Already prepared:";
  output.result({ ...facts, ...datesOf(version), ...more }, [
    `${did} version ${version.version} (kid ${version.kid}) of ${app}`,
    `Nothing is signed with it before \`rekey rotate --activate\`${whenText(version)}`,
    ...lines,
  ]);
}

/**
 * Publishes the next version, and gives it to verifiers that hold several keys; `--wait` waits until every server has it,
 * and the verifiers of its machine.
 *
 * @param permit called under the lock; its error is the preparation's.
 */
export async function prepare(
  { reason, wait, lockTimeout, forceDeliveries, ...flags }: RotateFlags,
  context: Context,
  permit?: (installation: Installation) => void,
): Promise<void> {
  const { secrets, store } = context;
  const usage = wantedKey(flags);
  const opened = await secrets.openFresh();
  if (!forceDeliveries) await mustKnowAlgorithm(opened.installation, flags.alg, true);
  const isDone = () => opened.installation.versions.prepared() !== undefined;
  const makeValue = await valueAhead(opened, usage, isDone);
  const publish = () =>
    secrets.underLock(
      (installation, backend, _turn, note) =>
        backend.prepare(installation, {
          store,
          reason: reason ?? null,
          usage,
          makeValue,
          permit: () => permit?.(installation),
        }, note),
      { waitMs: lockTimeout * 1000 },
    );
  const { result, outcomes } = await withDeliveries(secrets, publish);
  const confirmation = await confirmed(secrets, wait);
  const more = { ...describeConfirmation(confirmation), ...describeOutcomes(outcomes) };
  printPrepared(result, more, outcomesText(outcomes), context);
  warnOfOutcomes(outcomes, context.output);
  mustAllFollow(confirmation, outcomes);
}
