import { mustKnowAlgorithm, withDeliveries } from "../../deliver/rotation.ts";
import type { Context } from "../context.ts";
import { describeOutcomes, outcomesText, warnOfOutcomes } from "../deliveries_report.ts";
import { confirmed, describeConfirmation, mustAllFollow } from "../fleet_facts.ts";
import { rfc3339 } from "../../core/clock.ts";
import type { Installation } from "../../store/installation.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import { valueAhead } from "../../secret/next_use.ts";
import { datesOf } from "../../secret/prepared_facts.ts";
import { describeVersion } from "../format.ts";
import { wantedKey } from "../key_flags.ts";
import type { RotateFlags } from "./rotate.ts";

function whenText({ activatable_at }: Version): string {
  return activatable_at === null ? "" : `, which can be from ${rfc3339(activatable_at)} on`;
}

/**
 * Publishes the next version, and gives it to verifiers that hold several keys; `--wait` waits until every server has it,
 * and the verifiers of its machine.
 *
 * @param permit called under the lock; its error is the preparation's.
 */
export async function prepare(
  { reason, wait, lockTimeout, forceDeliveries, ...flags }: RotateFlags,
  { secrets, output, store }: Context,
  permit?: (installation: Installation) => void,
): Promise<void> {
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
  const { result: { version, made }, outcomes } = await withDeliveries(secrets, publish);
  const confirmation = await confirmed(secrets, wait);
  const app = secrets.environment.app.name;
  const did = made ? "Prepared" : "Already prepared:";
  output.result(
    {
      ...describeVersion(app, version),
      prepared: true,
      alg: version.alg,
      ...datesOf(version),
      ...describeConfirmation(confirmation),
      ...describeOutcomes(outcomes),
    },
    [
      `${did} version ${version.version} (kid ${version.kid}) of ${app}`,
      `Nothing is signed with it before \`rekey rotate --activate\`${whenText(version)}`,
      ...outcomesText(outcomes),
    ],
  );
  warnOfOutcomes(outcomes, output);
  mustAllFollow(confirmation, outcomes);
}
