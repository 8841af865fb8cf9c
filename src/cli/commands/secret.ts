import {
  describeOutcomes,
  outcomesText,
  warnOfLeftFiles,
  warnOfOutcomes,
} from "../deliveries_report.ts";
import { removeEveryDelivery } from "../../deliver/remove.ts";
import { withDeliveries } from "../../deliver/rotation.ts";
import { placeName } from "../../core/location.ts";
import { rfc3339 } from "../../core/clock.ts";
import { isHmac } from "../../core/algorithms.ts";
import { staleProcesses, warnOfHolders } from "../stale_processes.ts";
import {
  CHOSEN,
  remarkOnKeptKeys,
  remarkOnPlace,
  warnOfKeyFiles,
  warnOfLeftKeys,
  warnOfOthers,
  warnOfRisk,
  whereLooked,
} from "../warnings.ts";
import type { Context } from "../context.ts";
import { describeVersion, pairText } from "../format.ts";
import { type KeyFlags, wantedKey } from "../key_flags.ts";
import { applyPolicy, firstPolicy, type PolicyFlags } from "./policy.ts";
import { describeHolders } from "../../secret/holders.ts";
import { keyFilesLeft } from "../../secret/lost_database.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import { confirmed, describeConfirmation, mustAllFollow } from "../confirmation.ts";
import { requireConfirmation } from "../terminal.ts";

/** Flags of `rekey init`. */
export interface InitOptions extends PolicyFlags, KeyFlags {}

/** Makes or adopts the secret. */
export async function init(options: InitOptions, context: Context): Promise<void> {
  const { secrets, output, store } = context;
  const wanted = { ...wantedKey(options), store, firstPolicy: firstPolicy(options) };
  const { version, created, chosen } = await secrets.getOrCreate(wanted);
  await applyPolicy(options, context);
  const what = created ? "Created" : version.origin === "adopted" ? "Adopted" : "Already there:";
  output.result(describeVersion(secrets.environment.app.name, version), [
    `${what} the JWT secret of ${secrets.environment.app.name}: version ${version.version} ` +
    `(kid ${version.kid}) in ${placeName(version.location)}`,
    ...isHmac(version.alg) ? [] : [pairText(version)],
  ]);
  const { lastRefusal } = secrets.environment.keyring;
  if (created && version.location === "database" && lastRefusal?.code === "keyring_no_default") {
    output.warning(`${lastRefusal.message}: the secret is in the database. ${lastRefusal.hint}`);
  }
  if (chosen) output.remark(CHOSEN);
  if (created) {
    await remarkOnPlace(version, context);
    warnOfOthers(context);
    await warnOfKeyFiles(context);
  } else {
    output.remark(`made ${rfc3339(version.created_at)}`);
    warnOfOtherPlace(version, context);
  }
  await warnOfRisk(context);
}

/** Warns if `--store` asks for another place than the secret is in: `init` moves nothing. */
function warnOfOtherPlace({ location }: Version, { store = "auto", output }: Context): void {
  if (store === "auto" || store === location) return;
  output.warning(
    `it stays in ${
      placeName(location)
    }: \`rekey store move ${store}\` moves it, and its tokens stay valid`,
  );
}

/** Flags of `rekey revoke`. Durations in seconds. */
export interface RevokeFlags {
  readonly wait?: number;
}

/** Ends every grace window. */
export async function revoke({ wait }: RevokeFlags, context: Context): Promise<void> {
  const { secrets, output } = context;
  const { result: ended, outcomes } = await withDeliveries(secrets, () => secrets.revoke());
  const confirmation = await confirmed(secrets, wait);
  const versions = ended.map(({ version }) => version);
  const app = secrets.environment.app.name;
  const stale = await staleProcesses(secrets);
  output.result({
    app,
    revoked_versions: versions,
    stale_processes: describeHolders(stale),
    ...describeConfirmation(confirmation),
    ...describeOutcomes(outcomes),
  }, [
    versions.length === 0
      ? "No grace window is open"
      : `No longer verifying: version ${versions.join(", ")}`,
    ...outcomesText(outcomes),
  ]);
  warnOfHolders(stale, output);
  await remarkOnKeptKeys(ended, context);
  warnOfOutcomes(outcomes, output);
  mustAllFollow(confirmation, outcomes);
}

/** Flags of `rekey destroy`. */
export interface DestroyFlags {
  readonly force?: boolean;
}

/** Deletes everything that rekey keeps of the app. */
export async function destroy(options: DestroyFlags, context: Context): Promise<void> {
  const { secrets, output, confirm } = context;
  const app = secrets.environment.app.name;
  requireConfirmation(
    options.force ?? false,
    `Delete the JWT secret of ${app}, its users, sessions and audit log for good? Every token becomes worthless.`,
    confirm,
  );
  const { holdersLeft } = await import("../../secret/destroy.ts");
  const left = await removeEveryDelivery(secrets);
  const holders = holdersLeft(secrets.environment);
  const destroyed = await secrets.destroy();
  if (!destroyed) output.remark(whereLooked(secrets.environment));
  const keys = keyFilesLeft(secrets.environment);
  const stale_processes = describeHolders(holders);
  output.result({ app, destroyed, files_left: left, key_files_left: keys, stale_processes }, [
    destroyed
      ? `Destroyed the JWT secret of ${app}, its keys, users, sessions and audit log`
      : `There is no JWT secret of ${app}`,
  ]);
  warnOfLeftFiles(left, output);
  warnOfLeftKeys(keys, output);
  warnOfHolders(holders, output);
}
