import { RekeyError } from "../core/errors.ts";
import { HERE } from "../system/here.ts";
import { runLine } from "./command_line.ts";
import { withCallersUmask } from "./environment.ts";

/** What a hook is told, as variables `REKEY_ROTATION_…`: names and times, nothing secret. */
export type HookFacts = Readonly<Record<string, string | number | null>>;

/** How long a hook may take, in milliseconds. */
const LONGEST_MS = 300_000;

/**
 * Runs a command line of the operator's in the system's shell. Its output goes to stderr, since stdout belongs to the
 * result; it has no stdin.
 *
 * @param flag by which it was given, for messages.
 * @param globals variables by which a rekey that it calls finds the same installation.
 * @throws {RekeyError} `failed` when it ends with another status than 0, or not in time.
 */
export async function runHook(
  flag: "--before" | "--after",
  commandLine: string,
  facts: HookFacts,
  globals: Readonly<Record<string, string>>,
): Promise<void> {
  const failure = await runLine(
    HERE.processes.shellToStderr(commandLine),
    { env: { ...globals, ...variables(facts) }, limitMs: LONGEST_MS, take: toStderr },
    (command) => withCallersUmask(() => command.spawn()),
  );
  if (failure === undefined) return;
  throw new RekeyError("failed", `The command of ${flag} ${failure}`, {
    hint: "Run it by hand; what it was told is in the variables REKEY_ROTATION_…",
  });
}

function toStderr(piece: Uint8Array): void {
  for (let rest = piece; rest.length > 0;) rest = rest.subarray(Deno.stderr.writeSync(rest));
}

function variables(facts: HookFacts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) =>
      [`REKEY_ROTATION_${name.toUpperCase()}`, String(value ?? "")] as const
    ),
  );
}
