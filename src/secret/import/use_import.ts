import type { Installation } from "../../store/installation.ts";
import { keepCopy } from "../automatic_copy.ts";
import { RekeyError } from "../../core/errors.ts";
import type { Version } from "../../store/sqlite/versions.ts";
import type { Backend, HmacUsage } from "../backend.ts";
import type { CreateOptions } from "../create.ts";
import type { Import } from "./imported.ts";
import { changeSecret } from "../rotate.ts";

/**
 * Whether an imported secret may replace the current one: only if that one was never used. A shared secret counts as
 * used.
 */
export function mayGiveWay(installation: Installation, backend: Backend, kid: string): boolean {
  return (installation.versions.byKid(kid)?.activated_at ?? null) === null &&
    !backend.wasUsed(installation);
}

/**
 * Replaces an unused secret by an imported one. Call it under the lock, after recovery.
 *
 * @returns false when the current secret was used.
 */
export async function replaceUnused(
  installation: Installation,
  backend: Backend,
  given: Import,
  { store, alg, keyForm }: CreateOptions,
): Promise<boolean> {
  // Read under the lock: it may have been used meanwhile.
  const old = installation.versions.current();
  if (old === undefined || !mayGiveWay(installation, backend, given.secret.kid)) return false;
  const location = await backend.nextLocation(installation, store);
  await keepCopy(installation, old);
  const how = { imported: given.secret, alg, keyForm };
  await changeSecret(installation, { old, location, reason: given.reason, graceMs: 0, ...how });
  return true;
}

/**
 * The version that has the imported secret.
 *
 * @throws {RekeyError} `already_initialised` when the current secret is another one, `failed` when the secret exists
 * with another algorithm or key form.
 */
export function settleImport(
  installation: Installation,
  current: Version,
  kid: string,
  { alg, keyForm }: HmacUsage,
): Version {
  const { versions } = installation;
  const version = versions.byKid(kid);
  if (version === undefined || version.activated_at === null) {
    throw new RekeyError(
      "already_initialised",
      `Cannot import a secret: there is one already, version ${current.version} (kid ${current.kid})`,
      {
        hint: current.location === "etcd"
          ? "Machines share it: import into another app with --app"
          : "It was used, and its tokens would end: import into another app with --app, " +
            "or `rekey destroy` this one first",
      },
    );
  }
  const { alg: algorithm, key_form: form } = version;
  if (algorithm === alg && form === keyForm) return version;
  throw new RekeyError(
    "failed",
    `Cannot import the secret again: it is there as ${algorithm}, key form ${form}`,
    { hint: "`rekey init --alg --key-form` changes how an imported secret is used" },
  );
}
