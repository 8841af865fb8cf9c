import type { Paths } from "./paths.ts";
import type { Moves } from "./moves.ts";
import type { Privacy } from "./privacy.ts";
import type { ProcessControl } from "./processes.ts";
import type { Programs } from "./programs.ts";
import type { Serving } from "./serving.ts";
import type { Streams } from "./streams.ts";

/** Ways of making a machine rotate by itself. */
export type ScheduleKind = "systemd" | "cron" | "launchd" | "windows";

/** Commands for people, which rekey does not run. */
export interface Advice {
  /** Writes 32 random bytes as base64 to a file named FILE. */
  readonly makeKey: string;
  /** Gives a text file another encoding. */
  readonly convert: string;
  /** Shows whose a file is, and who may use it. */
  show(path: string): string;
  /** Shows what takes up room on the disk of a folder. */
  largest(folder: string): string;
}

/** What differs from one operating system to another. There is one file for each, chosen once: see `here.ts`. */
export interface System {
  readonly os: "linux" | "darwin" | "windows";
  /** Where files belong, and how their paths are written. */
  readonly paths: Paths;
  /** Whose files and folders are, and who else may use them. */
  readonly privacy: Privacy;
  /** Renaming and deleting. */
  readonly moves: Moves;
  /** Reading pipes and descriptors. */
  readonly streams: Streams;
  /** The C library that the runtime is linked to, for foreign calls; `undefined` where there is none of that kind. */
  readonly libc: string | undefined;
  /** How people are told to do things by hand. */
  readonly advice: Advice;
  /** Shells, signals, and which processes run. */
  readonly processes: ProcessControl;
  /** How `exec` finds, starts and ends a program. */
  readonly programs: Programs;
  /** What a server can do. */
  readonly serving: Serving;
  /** The scheduler that is used unless another is asked for. */
  readonly schedule: ScheduleKind;
  /** Whether its keyring is a Secret Service: a program on the session bus. */
  readonly hasSecretService: boolean;
  /** To be called before the keyring's addon is loaded: the libraries that it needs are to be the system's own. */
  prepareAddon(): void;
}
