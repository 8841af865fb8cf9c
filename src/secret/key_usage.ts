import { RekeyError } from "../core/errors.ts";
import type { Installation } from "../store/installation.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { CreateOptions } from "./first_version.ts";
import { isShared } from "./sharing.ts";

/**
 * Lets the operator say how an adopted secret is used, which its older application cannot tell; a secret of our own
 * stays what it was made as.
 *
 * @throws {RekeyError} `failed` when it is to be used in another way than it was made for.
 */
export function settleUsage(
  installation: Installation,
  version: Version,
  { alg, keyForm }: CreateOptions,
): void {
  const { origin, alg: oldAlg, key_form: oldForm } = version;
  if ((alg ?? oldAlg) === oldAlg && (keyForm ?? oldForm) === oldForm) return;
  if (isShared(installation)) {
    throw new RekeyError(
      "failed",
      `Cannot change the secret's use: machines share it as ${oldAlg}, key form ${oldForm}`,
      { hint: "`rekey store move database` makes it this machine's own first" },
    );
  }
  if (origin !== "adopted") {
    throw new RekeyError(
      "failed",
      `Cannot change the secret's use: it is ${oldAlg}, key form ${oldForm}`,
      {
        hint:
          "Its tokens depend on it; `rekey rotate --alg --key-form` gives the next one another use",
      },
    );
  }
  installation.database.transaction(() => {
    installation.versions.settle(version, alg ?? oldAlg, keyForm ?? oldForm);
    installation.meta.set("alg", alg ?? oldAlg);
    installation.meta.set("key_form", keyForm ?? oldForm);
  });
}

/**
 * The version that an imported secret is.
 *
 * @param current the version that counts.
 * @throws {RekeyError} `already_initialised` when there is another secret, `failed` when it is there with another use.
 */
export function settleImport(
  installation: Installation,
  current: Version,
  kid: string,
  { alg, keyForm }: CreateOptions,
): Version {
  const { versions } = installation;
  const version = versions.byKid(kid);
  if (version === undefined || version.activated_at === null) {
    throw new RekeyError(
      "already_initialised",
      `Cannot import a secret: there is one already, version ${current.version} (kid ${current.kid})`,
      {
        hint: isShared(installation)
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
