import type { SignatureChecks } from "../jwt/pair_signatures.ts";
import type { Channels } from "./channels.ts";
import type { Caller, ReadVariable } from "./caller.ts";
import type { FilePermissions, FileSystem, Memory, QuickLooks, Streams } from "./files.ts";
import { linux } from "./linux.ts";
import type { Owners } from "./owners.ts";
import type { Paths } from "./paths.ts";
import type { ProcessControl, Programs, Serving } from "./processes.ts";

/** What differs between operating systems. Each system has one implementation. */
export interface System {
  readonly os: "linux" | "darwin" | "windows";
  /** Default folders and path syntax. */
  readonly paths: Paths;
  /** Owners of files and folders, and the rights of other users. */
  readonly permissions: FilePermissions;
  /** Users and groups by name; `undefined` where files have no owner and mode. */
  readonly owners: Owners | undefined;
  /** Renaming, deleting and file locks. */
  readonly files: FileSystem;
  /** Looks at files that a server makes for each request; `undefined` where the runtime's own are all there are. */
  readonly quickLooks: () => QuickLooks | undefined;
  /** Files that are in memory only; `undefined` where the system has no place for them. */
  readonly memory: Memory | undefined;
  /** Reading pipes and open descriptors. */
  readonly streams: Streams;
  /** Sockets and inherited descriptors that the audit log is sent to; `undefined` where there are only files. */
  readonly channels: Channels | undefined;
  /** Commands that hints and help show. */
  readonly advice: Advice;
  /** Shells, signals and process identities. */
  readonly processes: ProcessControl;
  /** How `exec` finds, starts and ends a program. */
  readonly programs: Programs;
  /** What `serve` asks of the system. */
  readonly serving: Serving;
  /** Who has started this process, besides the user that it runs as. */
  readonly caller: (variable: ReadVariable) => Caller;
  /** The default scheduler. */
  readonly schedule: "systemd" | "cron" | "launchd" | "windows";
  /** Whether the keyring is a Secret Service on the session bus. */
  readonly hasSecretService: boolean;
  /** Loads what opens a library that verifies signatures of key pairs faster than the runtime; both `undefined` without. */
  readonly fasterSignatures: () => Promise<(() => SignatureChecks | undefined) | undefined>;
  /** Call this before loading the keyring addon: it makes the addon load its libraries from the system folder. */
  prepareAddon(): void;
  /** Has the C library give memory that is free back to the system, which it keeps otherwise. */
  giveBackMemory(): void;
}

/** Commands that hints and help show; rekey does not run them. */
export interface Advice {
  /** Writes 32 random bytes as base64 to a file named FILE. */
  readonly makeKey: string;
  /** Converts a text file to UTF-8. */
  readonly convert: string;
  /** Shows owner and permissions of a file. */
  show(path: string): string;
  /** Shows what uses the space on a folder's disk. */
  largest(folder: string): string;
}

/** The system that rekey runs on: Linux for unknown ones. The code of the others is loaded where it runs. */
export const SYSTEM: System = Deno.build.os === "windows"
  ? (await import("./windows.ts")).windows
  : Deno.build.os === "darwin"
  ? (await import("./macos.ts")).macos
  : linux;
