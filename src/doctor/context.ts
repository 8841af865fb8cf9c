import { join } from "node:path";
import { SYSTEM } from "../system/system.ts";
import type { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import { infoOf } from "../system/files.ts";

/** What the doctor examines, and what it needs to know for that. */
export interface DoctorContext {
  readonly environment: Environment;
  /** A variable of the environment; an empty one counts as not set. */
  readonly variable: (name: string) => string | undefined;
  /** Age at which a rotation is due, in milliseconds. */
  readonly maxAgeMs: number;
  /** Flags that name this app and its folder, for suggested commands: `--app acme`. */
  readonly flags: string;
  /** Called with the number of audit rows checked so far. */
  readonly onProgress: (rows: number) => void;
}

/** The context with the database opened as found. */
export interface OpenDoctorContext extends DoctorContext {
  readonly installation: Installation;
}

/** A rotation for scripts that keeps sessions valid for an hour. */
export const WITHOUT_LOGGING_OUT = "rotate --force --grace 1h";

/** The first command whose program is installed; otherwise a shell comment. */
export function firstInstalled(
  { variable }: DoctorContext,
  commands: readonly string[],
  otherwise: string,
): string {
  const folders = (variable("PATH") ?? "/usr/bin:/bin").split(SYSTEM.paths.delimiter);
  const isHere = (command: string) =>
    folders.some((folder) => infoOf(join(folder, command.split(" ")[0]!)) !== undefined);
  return commands.find(isHere) ?? `# ${otherwise}`;
}

/** A rekey command line for the examined app. */
export function rekey({ flags }: DoctorContext, command: string): string {
  return flags === "" ? `rekey ${command}` : `rekey ${flags} ${command}`;
}
