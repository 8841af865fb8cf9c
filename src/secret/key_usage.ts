import { RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { Backend, HmacUsage } from "./backend.ts";

/**
 * Sets algorithm and key form of an adopted secret, which the older application did not record. A generated secret keeps
 * its own.
 *
 * @throws {RekeyError} `failed` when they cannot be changed.
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

/** Changes algorithm and key form of a local secret, if it was adopted. */
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

/** The error for changing algorithm or key form of a shared secret. */
export function usageIsShared({ alg, key_form }: Version): RekeyError {
  return usageIsFixed(
    `machines share it as ${alg}, key form ${key_form}`,
    "`rekey store move database` makes it this machine's own first",
  );
}

function usageIsFixed(why: string, hint: string): RekeyError {
  return new RekeyError("failed", `Cannot change the secret's use: ${why}`, { hint });
}
