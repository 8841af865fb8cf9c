import { keyFilesOfLost, lastCopy } from "../secret/lost_database.ts";
import { isHmac } from "../core/algorithms.ts";
import type { Changed } from "../secret/backend.ts";
import { jwksMaxAge } from "../secret/public_set.ts";
import { firstOf } from "../core/words.ts";
import { describeSeconds, printable } from "./format.ts";
import type { Output } from "./output.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { warningsOfRisk } from "../secret/keyring/unsaved.ts";
import { type Context, variable } from "./context.ts";
import { homedir } from "node:os";
import { elsewhere, type KnownApp, knownApps } from "../store/known_apps.ts";
import { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { longestValue } from "../secret/next_use.ts";

/** Says that the database is a choice now: later rotations stay there, and retrievals from it are no fallback. */
export const CHOSEN =
  "It was in the database for want of a keyring: it stays there now, after rotations too";

/** Warns, after a write to the keyring, if the secret could still be lost. */
export async function warnOfRisk({ secrets, output }: Context): Promise<void> {
  try {
    const { installation } = await secrets.open();
    for (const text of warningsOfRisk(installation)) output.warning(text);
  } catch (error) {
    // The command succeeded; the next one reports the problem.
    if (!isRekeyError(error)) throw error;
  }
}

/** Says why a new version is not in the keyring that `auto` would choose: an item there cannot hold its value. */
export async function remarkOnPlace(
  { version, location, ...shape }: Version,
  { secrets, store, output }: Context,
): Promise<void> {
  const { installation } = await secrets.open();
  const { keyring } = secrets.environment;
  const isAsAsked = location !== "database" || (store ?? installation.store) !== "auto";
  if (isAsAsked || keyring.fits(longestValue(shape))) return;
  output.remark(
    `An item of this system's keyring holds ${keyring.longestValue} characters: ` +
      `version ${version} (${shape.alg}) needs more, and is in the database`,
  );
}

/** Adds to a `not_initialised` error where rekey looked, as which user, and which other secrets it knows. */
export function withWhereLooked(error: RekeyError, environment: Environment): RekeyError {
  const others = othersThan(environment);
  const same = others.find(({ app }) => app === environment.app.name);
  const first = broughtBack(environment) ??
    (same === undefined
      ? "Make one with `rekey init`"
      : `Name the one in ${same.folder} with --data-dir, or make another one with \`rekey init\``);
  const rest = whereLooked(environment, others.filter((one) => one !== same));
  return new RekeyError(error.code, error.message, {
    hint: `${printable(first)}; ${rest}`,
    cause: error,
  });
}

/** Where rekey looked for a secret, as which user, and which other secrets it knows. */
export function whereLooked(environment: Environment, others = othersThan(environment)): string {
  const parts = [lookedFor(environment), whatElse(others)];
  return parts.filter((part) => part !== undefined).map(printable).join("; ");
}

/** Warns after a secret was made that the app has another one elsewhere. */
export function warnOfOthers({ secrets: { environment }, output }: Context): void {
  for (const { app, folder, version } of elsewhere(environment)) {
    output.warning(
      `${printable(`app ${app} has another secret, version ${version} in ${folder}`)}: ` +
        "programs that use it do not accept tokens of this one",
    );
  }
}

/** What brings back the secret of a database that was there. */
function broughtBack(environment: Environment): string | undefined {
  const copy = lastCopy(environment);
  if (copy !== undefined) {
    const end = copy.lacksSecret ? `: ${copy.lacks}` : "";
    const command = `rekey restore ${copy.path}${copy.flags}`;
    return `The database is gone: bring it back from a backup, or with \`${command}\`${end}`;
  }
  if (keyFilesOfLost(environment).length === 0) return undefined;
  return "A key file of it is there: bring a lost database back with `rekey restore BACKUP`, or make " +
    "another secret with `rekey init`";
}

/** Warns after a secret was made that a lost database of the app has left a key file. */
export async function warnOfKeyFiles({ secrets, output }: Context): Promise<void> {
  const { installation } = await secrets.open();
  const own = installation.generatedKeyFile();
  const left = keyFilesOfLost(secrets.environment).filter((path) => path !== own);
  if (left.length === 0) return;
  output.warning(
    `the app has had another secret: its key file ${firstOf(left)} is there. ` +
      "If its database was lost, `rekey restore BACKUP --force` brings that secret back",
  );
}

/** Warns after a destruction of key files that open backups made under them. */
export function warnOfLeftKeys(paths: readonly string[], output: Output): void {
  for (const path of paths) {
    output.warning(
      `the key file ${
        printable(path)
      } stays: with it, backups made under it bring a secret back. ` +
        "Delete it, unless another database of the app or a backup that you keep needs it",
    );
  }
}

function othersThan(environment: Environment): KnownApp[] {
  return knownApps(environment).filter(({ used, version }) => !used && version !== null);
}

function lookedFor(environment: Environment): string {
  const { app: { account }, actor } = environment;
  const sudo = variable("SUDO_USER");
  const [who] = actor.split("@");
  const as = sudo === undefined ? who : `${who}, by sudo of ${sudo}`;
  return `looked in ${Installation.path(environment)} and in the keyring for ${account}, ` +
    `as ${as} (HOME ${homedir()})`;
}

function whatElse(others: readonly KnownApp[]): string | undefined {
  if (others.length === 0) return undefined;
  const named = firstOf(others.map(({ app, folder }) => `${app} in ${folder}`));
  return `known here: ${named} (\`rekey apps\` lists them)`;
}

/**
 * A rotation in one step, or an import, drops the version that was prepared, whose number is the one before.
 *
 * @param version the new one.
 * @param replaced number of the one that was current before it.
 */
export async function remarkOnDropped(
  { version }: Version,
  replaced: number | undefined,
  { secrets, output }: Context,
): Promise<void> {
  if (replaced === undefined || replaced >= version - 1) return;
  const { installation: { versions } } = await secrets.open();
  const between = versions.byNumber(version - 1);
  if (between?.state !== "retired" || between.published_at === null) return;
  output.remark(`version ${between.version}, which was prepared, is dropped`);
}

/** Verifiers with public keys cannot check tokens of an HMAC secret. */
export function warnOfHmac({ rotated, version, previous }: Changed, output: Output): void {
  if (!rotated || !isHmac(version.alg) || previous === undefined || isHmac(previous.alg)) return;
  output.warning(
    `verifiers that fetch the public keys refuse the new tokens: ${version.alg} is in no public set; ` +
      "give them the secret by `rekey deliver add`, or let them ask `rekey serve`",
  );
}

/** A verifier that keeps the public set accepts tokens of a version that has ended here, until it fetches the set again. */
export async function remarkOnKeptKeys(ended: readonly Version[], { secrets, output }: Context) {
  const pairs = ended.filter(({ alg }) => !isHmac(alg)).map(({ version }) => version);
  if (pairs.length === 0) return;
  const { installation } = await secrets.open();
  output.remark(
    `verifiers that keep the public keys may accept tokens of version ${pairs.join(", ")} for ${
      describeSeconds(jwksMaxAge(installation))
    }, unless they are restarted or fetch the keys again`,
  );
}

/** A verifier that keeps the public set may not know the new key yet, although the old one still verifies. */
export async function remarkOnCaches({ rotated, version }: Changed, { secrets, output }: Context) {
  if (!rotated || isHmac(version.alg)) return;
  const { installation } = await secrets.open();
  output.remark(
    `verifiers that keep the public keys may refuse new tokens for ${
      describeSeconds(jwksMaxAge(installation))
    }, unless they fetch them again for an unknown kid; ` +
      "`rekey rotate --prepare` gives them the key first",
  );
}
