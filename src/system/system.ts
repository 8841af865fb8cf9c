import type { Paths } from "./paths.ts";
import type { Moves } from "./moves.ts";
import type { Privacy } from "./privacy.ts";
import type { ProcessControl } from "./processes.ts";

/** Ways of making a machine rotate by itself. */
export type ScheduleKind = "systemd" | "cron" | "launchd" | "windows";

/** What differs from one operating system to another. There is one file for each, chosen once: see `here.ts`. */
export interface System {
  readonly os: "linux" | "darwin" | "windows";
  /** Where files belong, and how their paths are written. */
  readonly paths: Paths;
  /** Whose files and folders are, and who else may use them. */
  readonly privacy: Privacy;
  readonly moves: Moves;
  /** Shells, signals, and which processes run. */
  readonly processes: ProcessControl;
  /** What runs programs at a time, unless another is asked for. */
  readonly schedule: ScheduleKind;
  /** Whether its keyring is a program behind the session bus, which can be asked, be locked, and lose what it took. */
  readonly hasSecretService: boolean;
}
