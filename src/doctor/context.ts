import { join } from "node:path";
import { infoOf } from "../system/system.ts";
import { HERE } from "../system/here.ts";
import type { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";

/** What the doctor examines, and what it needs to know for that. */
export interface DoctorContext {
  readonly environment: Environment;
  /** A variable of the environment; an empty one counts as not set. */
  readonly variable: (name: string) => string | undefined;
  /** Age at which a rotation is due, in milliseconds. */
  readonly maxAgeMs: number;
  /** The flags that name this app and its folder, for commands that are suggested: `--app acme`. */
  readonly flags: string;
  /** Told how many rows of the audit log have been looked at. */
  readonly onProgress: (rows: number) => void;
}

/** The same with a database that could be opened, as it was found. */
export interface OpenDoctorContext extends DoctorContext {
  readonly installation: Installation;
}

/** A rotation that asks no question, as in a script, and leaves users an hour before they log in again. */
export const WITHOUT_LOGGING_OUT = "rotate --force --grace 1h";

/** The first command whose program this machine has; a shell's comment when it has none of them. */
export function firstThatRuns(
  { variable }: DoctorContext,
  commands: readonly string[],
  otherwise: string,
): string {
  const folders = (variable("PATH") ?? "/usr/bin:/bin").split(HERE.paths.delimiter);
  const isHere = (command: string) =>
    folders.some((folder) => infoOf(join(folder, command.split(" ")[0]!)) !== undefined);
  return commands.find(isHere) ?? `# ${otherwise}`;
}

/** A rekey command for the app that is examined. */
export function rekey({ flags }: DoctorContext, command: string): string {
  return flags === "" ? `rekey ${command}` : `rekey ${flags} ${command}`;
}
