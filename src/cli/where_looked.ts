import { homedir } from "node:os";
import { RekeyError } from "../core/errors.ts";
import { elsewhere, type KnownApp, knownApps } from "../store/known_apps.ts";
import { type Environment, Installation } from "../store/installation.ts";
import { type Context, variable } from "./context.ts";
import { printable } from "./describe.ts";

const MOST_OTHERS = 3;

/** The refusal of a command that has found no secret, with where it looked, as whom, and which secrets it knows elsewhere. */
export function withWhereLooked(error: RekeyError, environment: Environment): RekeyError {
  const others = othersThan(environment);
  const same = others.find(({ app }) => app === environment.app.name);
  const first = same === undefined
    ? "Make one with `rekey init`"
    : `Name the one in ${same.folder} with --data-dir, or make another one with \`rekey init\``;
  const rest = whereLooked(environment, others.filter((one) => one !== same));
  return new RekeyError(error.code, error.message, {
    hint: `${printable(first)}; ${rest}`,
    cause: error,
  });
}

/** Where a command looked that has found no secret, as whom, and which secrets it knows elsewhere. */
export function whereLooked(environment: Environment, others = othersThan(environment)): string {
  const parts = [lookedFor(environment), whatElse(others)];
  return parts.filter((part) => part !== undefined).map(printable).join("; ");
}

/** Says loudly that the app has another secret elsewhere, where a first one was made. */
export function warnOfOthers({ secrets: { environment }, output }: Context): void {
  for (const { app, folder, version } of elsewhere(environment)) {
    output.warning(
      `${printable(`app ${app} has another secret, version ${version} in ${folder}`)}: ` +
        "what uses that one does not accept tokens of this one",
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
  const named = others.slice(0, MOST_OTHERS).map(({ app, folder }) => `${app} in ${folder}`);
  const more = others.length > MOST_OTHERS ? ` and ${others.length - MOST_OTHERS} more` : "";
  return `known here: ${named.join(", ")}${more} (\`rekey apps\` lists them)`;
}
