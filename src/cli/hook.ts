import { RekeyError } from "../core/errors.ts";
import { endingInWords, endingOf } from "./ending.ts";
import { withCallersUmask } from "./umask.ts";

/** What a hook is told, as variables `REKEY_ROTATION_…`: names and times, nothing secret. */
export type Facts = Readonly<Record<string, string | number | null>>;

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
  facts: Facts,
  globals: Readonly<Record<string, string>>,
): Promise<void> {
  const command = new Deno.Command("/bin/sh", {
    args: ["-c", `exec >&2\n${commandLine}`],
    env: { ...globals, ...variables(facts) },
    stdin: "null",
    stdout: "inherit",
    stderr: "inherit",
  });
  const child = withCallersUmask(() => command.spawn());
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, LONGEST_MS);
  const ending = await endingOf(child);
  clearTimeout(timer);
  if ("status" in ending && ending.status === 0) return;
  const how = late ? `did not end within ${LONGEST_MS / 60_000} minutes` : endingInWords(ending);
  throw new RekeyError("failed", `The command of ${flag} ${how}`, {
    hint: "Run it by hand; what it was told is in the variables REKEY_ROTATION_…",
  });
}

function variables(facts: Facts): Record<string, string> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) =>
      [`REKEY_ROTATION_${name.toUpperCase()}`, String(value ?? "")] as const
    ),
  );
}
