import { mustKnowAlgorithm, withDeliveries } from "../../deliver/rotation.ts";
import type { Context } from "../context.ts";
import { describeOutcomes, outcomesText, warnOfOutcomes } from "../deliveries_report.ts";
import { confirmed, describeConfirmation, mustAllFollow } from "../fleet_facts.ts";
import { describeVersion } from "../format.ts";
import type { RotateFlags } from "./rotate.ts";

/**
 * Publishes the next version, and gives it to verifiers that hold several keys; `--wait` waits until every server has it,
 * and the verifiers of its machine.
 */
export async function prepare(
  { reason, wait, lockTimeout, forceDeliveries, ...flags }: RotateFlags,
  { secrets, output }: Context,
): Promise<void> {
  const { alg, keyForm, bytes, as: encoding, bits } = flags;
  const use = { alg, keyForm, bytes, encoding, bits };
  if (!forceDeliveries) {
    await mustKnowAlgorithm((await secrets.openFresh()).installation, alg, true);
  }
  const publish = () =>
    secrets.underLock(
      (installation, backend) => backend.prepare(installation, reason ?? null, use),
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
      ...describeConfirmation(confirmation),
      ...describeOutcomes(outcomes),
    },
    [
      `${did} version ${version.version} (kid ${version.kid}) of ${app}`,
      "Nothing is signed with it before `rekey rotate --activate`",
      ...outcomesText(outcomes),
    ],
  );
  warnOfOutcomes(outcomes, output);
  mustAllFollow(confirmation, outcomes);
}
