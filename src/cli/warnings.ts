import { rfc3339 } from "../core/clock.ts";
import { forgetGoneHolders, type StaleHolder, staleHolders } from "../secret/holders.ts";
import type { SecretManager } from "../secret/manager.ts";
import { printable } from "./format.ts";
import type { Output } from "./output.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { warningsOfRisk } from "../secret/keyring/unsaved.ts";
import { type Context, variable } from "./context.ts";
import { homedir } from "node:os";
import { elsewhere, type KnownApp, knownApps } from "../store/known_apps.ts";
import { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";

// A machine with more of them has a service manager that lists them.
const MOST_NAMED = 20;

/** Processes that `exec` started and that hold a version which has ended, or will; for a command that ends soon. */
export async function staleProcesses(secrets: SecretManager): Promise<StaleHolder[]> {
  const { installation } = await secrets.open();
  const holders = staleHolders(installation);
  forgetGoneHolders(installation);
  return holders;
}

/** One process, for people. */
export function holderText({ pid, program, version, since, state, until }: StaleHolder): string {
  const held = version === null ? "a version that is not known here" : `version ${version}`;
  const end = state === "grace" ? `verifies until ${rfc3339(until!)}` : "no longer verifies";
  return `${printable(program)} (PID ${pid}) has held ${held}, which ${end}, since ${
    rfc3339(since)
  }`;
}

/** Says which programs are to be started again. */
export function warnOfHolders(holders: readonly StaleHolder[], output: Output): void {
  for (const holder of holders.slice(0, MOST_NAMED)) {
    const when = holder.state === "grace" ? "restart it before then" : "restart it";
    output.warning(`${holderText(holder)}: ${when}`);
  }
  const more = holders.length - MOST_NAMED;
  if (more > 0) output.warning(`${more} more processes hold such a version: \`rekey status\``);
}

/** Says after a command that has written to the keyring when the secret could still be lost. */
export async function warnOfRisk({ secrets, output }: Context): Promise<void> {
  try {
    const { installation } = await secrets.open();
    for (const text of warningsOfRisk(installation)) output.warning(text);
  } catch (error) {
    // What was done is done; the next command says what is wrong.
    if (!isRekeyError(error)) throw error;
  }
}

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
