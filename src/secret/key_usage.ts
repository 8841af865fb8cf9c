import { RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { Backend, HmacUsage } from "./backend.ts";

/**
 * Lets the operator say how an adopted secret is used, which its older application cannot tell; a secret of our own
 * stays what it was made as.
 *
 * @throws {RekeyError} `failed` when it is to be used in another way than it was made for.
 */
export function settleUsage(
  installation: Installation,
  backend: Backend,
  version: Version,
  { alg = version.alg, keyForm = version.key_form }: HmacUsage,
): void {
  if (alg === version.alg && keyForm === version.key_form) return;
  backend.setUsage(installation, version, { alg, keyForm });
}

/** Changes how a secret of this machine's own is used, if it was adopted. */
export function setUsage(
  { database, versions, meta }: Installation,
  version: Version,
  { alg, keyForm }: Required<HmacUsage>,
): void {
  if (version.origin !== "adopted") {
    throw usageIsFixed(
      `it is ${version.alg}, key form ${version.key_form}`,
      "Its tokens depend on it; `rekey rotate --alg --key-form` gives the next one another use",
    );
  }
  database.transaction(() => {
    versions.settle(version, alg!, keyForm!);
    meta.set("alg", alg!);
    meta.set("key_form", keyForm!);
  });
}

/** The refusal to change how a secret is used that machines share. */
export function usageIsShared({ alg, key_form }: Version): RekeyError {
  return usageIsFixed(
    `machines share it as ${alg}, key form ${key_form}`,
    "`rekey store move database` makes it this machine's own first",
  );
}

function usageIsFixed(why: string, hint: string): RekeyError {
  return new RekeyError("failed", `Cannot change the secret's use: ${why}`, { hint });
}
