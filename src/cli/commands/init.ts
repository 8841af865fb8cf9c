import { placeName } from "../../core/secret_store.ts";
import { rfc3339 } from "../../core/clock.ts";
import type { KeyForm } from "../../core/secret.ts";
import type { Algorithm } from "../../store/installation.ts";
import { warnOfOthers, warnOfRisk } from "../warnings.ts";
import type { Context } from "../context.ts";
import { describeVersion } from "../describe.ts";
import type { PolicyFlags } from "../policy_flags.ts";
import { applyPolicy } from "./policy.ts";

/** Flags of `rekey init`. */
export interface InitOptions extends PolicyFlags {
  readonly alg?: Algorithm;
  readonly keyForm?: KeyForm;
}

/** Makes or adopts the secret. */
export async function init(options: InitOptions, context: Context): Promise<void> {
  const { secrets, output, store } = context;
  const { alg, keyForm } = options;
  const { version, created } = await secrets.getOrCreate({ alg, keyForm, store });
  await applyPolicy(options, context);
  const what = created ? "Created" : version.origin === "adopted" ? "Adopted" : "Already there:";
  output.result(describeVersion(secrets.environment.app.name, version), [
    `${what} the JWT secret of ${secrets.environment.app.name}: version ${version.version} ` +
    `(kid ${version.kid}) in ${placeName(version.location)}`,
  ]);
  const { lastRefusal } = secrets.environment.keyring;
  if (created && version.location === "database" && lastRefusal?.code === "keyring_no_default") {
    output.warning(`${lastRefusal.message}: the secret is in the database. ${lastRefusal.hint}`);
  }
  if (created) warnOfOthers(context);
  else output.remark(`made ${rfc3339(version.created_at)}`);
  await warnOfRisk(context);
}
