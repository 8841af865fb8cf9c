import { usageError } from "../../core/errors.ts";
import type { Wanted } from "./handout.ts";

/** Flags of `rekey exec`. Durations in seconds. */
export interface ExecFlags {
  /** Names of the variables that hold the secret. */
  readonly env: readonly string[];
  /** The variable for the newest value in a grace window; false for none. */
  readonly envPrevious?: string | false;
  /** Whether the program gets a file of keys, and in which folder; default: in memory. */
  readonly keysFile?: boolean;
  readonly keysDir?: string;
  readonly onRotate?: "restart" | { readonly signal: Deno.Signal };
  readonly graceStop?: number;
  readonly line: ExecLine;
}

/** A command line of `rekey exec`. */
interface ExecLine {
  /** All words of it, as typed. */
  readonly all: readonly string[];
  /** Those that are no flags and no values of flags: the program's name and arguments, if nothing is wrong. */
  readonly words: readonly string[];
}

/** Whether the program gets a file of keys: a folder for it asks for it, too. */
export const hasKeysFile = ({ keysFile, keysDir }: ExecFlags) =>
  keysFile === true || keysDir !== undefined;

const ENV_PREVIOUS = "JWT_SECRET_PREVIOUS";

/**
 * What the program gets.
 *
 * @throws {RekeyError} `usage` when there is no program, one variable would have two values, or a flag would do nothing.
 */
export function wantedBy(flags: ExecFlags): Wanted {
  const { env, envPrevious, line } = flags;
  const command = programIn(line);
  refuseContradictions(flags);
  const isTaken = (name: string) => env.some((other) => other.toUpperCase() === name.toUpperCase());
  if (typeof envPrevious === "string" && isTaken(envPrevious)) {
    throw usageError(
      `Cannot put two values into ${envPrevious}`,
      "Give --env and --env-previous different names",
    );
  }
  const isUsual = envPrevious === undefined && !isTaken(ENV_PREVIOUS);
  const previous = (isUsual ? ENV_PREVIOUS : envPrevious) || undefined;
  return { env, envPrevious: previous, hasFile: hasKeysFile(flags), command };
}

function refuseContradictions({ graceStop, onRotate, line }: ExecFlags): void {
  if (graceStop !== undefined && onRotate !== "restart") {
    throw usageError(
      "Cannot give a time for the program's end: nothing ends it",
      "Add --on-rotate restart, or leave out --grace-stop",
    );
  }
  const own = line.all.slice(0, line.all.indexOf("--"));
  // Both set the same option, and the last one would count.
  const isNamed = own.some((word) => /^--env-previous(=|$)/.test(word));
  if (!isNamed || !own.includes("--no-env-previous")) return;
  throw usageError(
    "Cannot use --env-previous together with --no-env-previous",
    "Leave one of them out",
  );
}

// Without -- it is unclear which options belong to the program. No word is repeated: it may be a secret.
function programIn({ all, words }: ExecLine): Wanted["command"] {
  const dashes = all.indexOf("--");
  const program = dashes < 0 ? [] : all.slice(dashes + 1);
  const [name, ...args] = program;
  if (name !== undefined && program.length === words.length) return [name, ...args];
  if (name !== undefined) throw wordsBefore(all.slice(0, dashes), words[0]);
  const why = words.length === 0 || dashes >= 0
    ? "No program was given"
    : "There is no -- before the program";
  throw usageError(why, "Write `rekey exec -- PROGRAM ARGUMENTS…`");
}

function wordsBefore(own: readonly string[], word?: string) {
  const isValue = word !== undefined && own[own.indexOf("--keys-file") + 1] === word &&
    own.includes("--keys-file");
  return isValue
    ? usageError("--keys-file takes no value", "Name a folder for the file with --keys-dir <path>")
    : usageError(
      "Cannot use what stands before --: it is no flag",
      "Name an app with --app <name>; what follows -- is the program",
    );
}
