import { placeName } from "../../core/secret_store.ts";
import { rfc3339 } from "../../core/clock.ts";
import type { KeyForm } from "../../core/secret.ts";
import type { Algorithm } from "../../store/installation.ts";
import type { Context } from "../context.ts";
import { describeVersion } from "../describe.ts";

/** Flags of `rekey init`. */
export interface InitOptions {
  readonly alg?: Algorithm;
  readonly keyForm?: KeyForm;
}

/** Makes or adopts the secret. */
export async function init(options: InitOptions, context: Context): Promise<void> {
  const { secrets, output, store } = context;
  const { version, created } = await secrets.getOrCreate({ ...options, store });
  const { installation } = await secrets.open();
  const what = created ? "Created" : version.origin === "adopted" ? "Adopted" : "Already there:";
  output.result(describeVersion(secrets.environment.app.name, version, installation.keyForm), [
    `${what} the JWT secret of ${secrets.environment.app.name}: version ${version.version} ` +
    `(kid ${version.kid}) in ${placeName(version.location)}`,
  ]);
  if (!created) output.remark(`made ${rfc3339(version.created_at)}`);
}
