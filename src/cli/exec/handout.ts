import { isHmac } from "../../core/algorithms.ts";
import { asRefusal, isRekeyError, RekeyError } from "../../core/errors.ts";
import { keyData } from "../../deliver/key_data.ts";
import { deliveredKey, type Role } from "../../deliver/key_set.ts";
import type { SecretManager } from "../../secret/manager.ts";
import type { Retrieved } from "../../secret/retrieve.ts";
import { kidInTokens } from "../../secret/token_kid.ts";
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
  /** Variables that it must not inherit: only those of them that are in `variables` are there. */
  readonly absent: readonly string[];
  /** Whether the audit log records that the program gets the secret. */
  readonly written: boolean;
}

/** What a program is to get. */
export interface Wanted {
  /** Names of the variables that hold the secret. */
  readonly env: readonly string[];
  /** Name of the variable for the newest value in a grace window; `undefined` for none. */
  readonly envPrevious: string | undefined;
  /** Whether it gets a file of keys besides. */
  readonly hasFile: boolean;
  /** The program's name, and its arguments. */
  readonly command: readonly [name: string, ...args: string[]];
}

// That the secret is handed on belongs in the audit log. Many programs may start at once, on a machine where each writer
// takes a while.
export const NOTE_WAIT_MS = 2_000;

// What an `exec` gave that has started this one may be over by now.
const INHERITED = ["REKEY_KID_PREVIOUS", "REKEY_ALG_PREVIOUS", "REKEY_KEYS_FILE"];

/** Gets the program, the current secret and the previous one. The audit log records the handout first. */
export async function give(
  secrets: SecretManager,
  { command: [name, ...args], env, envPrevious, hasFile }: Wanted,
  output: Output,
): Promise<Handout> {
  const program = findProgram(name, args, variable("PATH"));
  letKeyringAnswer(secrets);
  await secrets.catchUp();
  const purpose = purposeOf(program);
  const current = await secrets.get(purpose);
  const value = forEnvironment(current, "signer");
  const before = envPrevious === undefined
    ? undefined
    : await previousOf(secrets, current, { purpose, hasFile }, output);
  const written = await secrets.flushNotes(NOTE_WAIT_MS);
  if (!written) output.warning(NOT_LOGGED);
  const held = env.map((variable) => [variable, value] as const);
  const variables: Record<string, string> = { ...named("", current), ...Object.fromEntries(held) };
  if (before !== undefined) {
    Object.assign(variables, named("_PREVIOUS", before));
    variables[envPrevious!] = forEnvironment(before, "verifier");
  }
  const { kid } = current.version;
  const absent = envPrevious === undefined ? INHERITED : [...INHERITED, envPrevious];
  return { program, kid, previous: before?.version.kid, variables, absent, written };
}

// A library must be told the algorithm: one that takes it from the token can be tricked (RFC 8725 §3.1).
function named(end: string, { version }: Retrieved) {
  return { [`REKEY_KID${end}`]: kidInTokens(version), [`REKEY_ALG${end}`]: version.alg };
}

/** What a value is read for, for the audit log. */
export function purposeOf({ name }: Pick<Program, "name">): string {
  return `exec ${shown(name)}`;
}

/** The newest value in a grace window. A program starts without it rather than not at all. */
async function previousOf(
  secrets: SecretManager,
  current: Retrieved,
  { purpose, hasFile }: { readonly purpose: string; readonly hasFile: boolean },
  output: Output,
): Promise<Retrieved | undefined> {
  const version = (await secrets.verifying())
    .find((row) => row.state === "previous" && row.kid !== current.version.kid);
  if (version === undefined) return undefined;
  const without = (why: string) => {
    output.warning(`the program starts without the previous value: ${why}`);
    return undefined;
  };
  // What expects HMAC secrets would take the text of a public key for one, with which anyone can sign.
  if (isHmac(current.version.alg) && !isHmac(version.alg)) {
    const both = hasFile
      ? "the file in REKEY_KEYS_FILE has both"
      : "--keys-file gives it a file with both";
    return without(`it is of a key pair, and the current one is an HMAC secret; ${both}`);
  }
  const found = await secrets.valueOf(version, purpose).catch(asRefusal);
  return isRekeyError(found) ? without(found.message) : found;
}

// Of a key pair a PEM: with the private key to sign with, and the public one of keys that only verify.
function forEnvironment({ version, secret }: Retrieved, role: Role): string {
  if (secret.pair !== undefined) return keyData(deliveredKey(version, secret), role).pem!;
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
