import { asRefusal, isRekeyError, RekeyError } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import type { SecretManager } from "../../secret/manager.ts";
import { variable } from "../context.ts";
import { NOT_LOGGED, type Output } from "../output.ts";
import { findProgram, type Program, shown } from "./child.ts";

/** A program with the secret in its environment. */
export interface Handout {
  /** As found at present. */
  readonly program: Program;
  readonly kid: string;
  /** The kid of the previous value that it is given; `undefined` without one. */
  readonly previous: string | undefined;
  readonly variables: Record<string, string>;
  /** Whether the audit log records that the program gets the secret. */
  readonly written: boolean;
}

/** What a program is to get. */
export interface Wanted {
  /** Names of the variables that hold the secret. */
  readonly env: readonly string[];
  /** Name of the variable for the newest value in a grace window; `undefined` for none. */
  readonly envPrevious: string | undefined;
  /** The program's name, and its arguments. */
  readonly command: readonly [name: string, ...args: string[]];
}

// That the secret is handed on belongs in the audit log. Many programs may start at once, on a machine where each writer
// takes a while.
export const NOTE_WAIT_MS = 2_000;

/** Gets the program, the current secret and the previous one. The audit log records the handout first. */
export async function give(
  secrets: SecretManager,
  { command: [name, ...args], env, envPrevious }: Wanted,
  output: Output,
): Promise<Handout> {
  const program = findProgram(name, args, variable("PATH"));
  letKeyringAnswer(secrets);
  await secrets.catchUp();
  const purpose = purposeOf(program);
  const { secret } = await secrets.get(purpose);
  const value = forEnvironment(secret);
  const before = envPrevious === undefined
    ? undefined
    : await previousOf(secrets, secret, purpose, output);
  const written = await secrets.flushNotes(NOTE_WAIT_MS);
  if (!written) output.warning(NOT_LOGGED);
  const held = env.map((variable) => [variable, value] as const);
  const variables: Record<string, string> = { REKEY_KID: secret.kid, ...Object.fromEntries(held) };
  if (before !== undefined) variables[envPrevious!] = forEnvironment(before);
  return { program, kid: secret.kid, previous: before?.kid, variables, written };
}

/** What a value is read for, for the audit log. */
export function purposeOf({ name }: Pick<Program, "name">): string {
  return `exec ${shown(name)}`;
}

/** The newest value in a grace window. A program starts without it rather than not at all. */
async function previousOf(
  secrets: SecretManager,
  { kid }: Secret,
  purpose: string,
  output: Output,
): Promise<Secret | undefined> {
  const version = (await secrets.verifying())
    .find((row) => row.state === "previous" && row.kid !== kid);
  if (version === undefined) return undefined;
  const found = await secrets.valueOf(version, purpose).catch(asRefusal);
  if (!isRekeyError(found)) return found.secret;
  output.warning(`the program starts without the previous value: ${found.message}`);
}

function forEnvironment(secret: Secret): string {
  const value = secret.reveal();
  if (!value.includes("\0")) return value;
  // Only another program can put such a value into the keyring: `import` refuses it.
  throw new RekeyError("failed", "Cannot pass on the secret: it has a NUL character", {
    hint: "Environment variables cannot hold it; `rekey rotate` makes a new secret",
  });
}

/** Lets a keyring be asked again that did not answer. */
export function letKeyringAnswer(secrets: SecretManager): void {
  secrets.refresh();
  const { keyring } = secrets.environment;
  // A keyring that waits for its user must not prompt again and again.
  if (!keyring.isStuck) keyring.retry();
}
