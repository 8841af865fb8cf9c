import { SYSTEM } from "../system/system.ts";
import { join } from "node:path";
import type { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import { infoOf } from "../system/files.ts";

/**
 * All findings. `wrong` needs action by the operator; a `note` is for information. `fixable` findings are fixed by
 * `doctor --fix`, without risk. docs/doctor.md prints this table and a test compares the two.
 */
export const FINDINGS = {
  not_initialised: { level: "wrong", fixable: false },

  // Files and folders.
  executable_damaged: { level: "wrong", fixable: false },
  way_unsafe: { level: "wrong", fixable: false },
  file_owner: { level: "wrong", fixable: false },
  file_mode: { level: "wrong", fixable: true },
  disk_full: { level: "wrong", fixable: false },
  disk_low: { level: "note", fixable: false },

  // The database.
  database_unusable: { level: "wrong", fixable: false },
  database_damaged: { level: "wrong", fixable: false },
  database_foreign: { level: "wrong", fixable: false },
  database_newer: { level: "wrong", fixable: false },
  database_locked: { level: "wrong", fixable: false },
  log_left: { level: "note", fixable: true },
  unfinished: { level: "note", fixable: true },
  under_way: { level: "note", fixable: false },

  // The key-encryption key.
  kek_missing: { level: "wrong", fixable: false },
  kek_invalid: { level: "wrong", fixable: false },
  kek_wrong: { level: "wrong", fixable: false },
  kek_exposed: { level: "wrong", fixable: true },
  kek_readable: { level: "note", fixable: false },

  // The keyring.
  bus_missing: { level: "wrong", fixable: false },
  keyring_absent: { level: "wrong", fixable: false },
  keyring_locked: { level: "wrong", fixable: false },
  keyring_denied: { level: "wrong", fixable: false },
  keyring_ambiguous: { level: "wrong", fixable: false },
  keyring_timeout: { level: "wrong", fixable: false },
  keyring_failed: { level: "wrong", fixable: false },
  keyring_keeps: { level: "note", fixable: false },
  keyring_unused: { level: "note", fixable: false },

  // The fleet.
  etcd_unconfigured: { level: "wrong", fixable: false },
  etcd_unavailable: { level: "wrong", fixable: false },
  etcd_denied: { level: "wrong", fixable: false },
  etcd_failed: { level: "wrong", fixable: false },
  etcd_member_down: { level: "wrong", fixable: false },
  etcd_alarm: { level: "wrong", fixable: false },
  etcd_split: { level: "wrong", fixable: false },
  etcd_single: { level: "note", fixable: false },
  fleet_behind: { level: "wrong", fixable: false },
  fleet_foreign: { level: "wrong", fixable: false },
  fleet_lagging: { level: "wrong", fixable: false },

  // The values.
  secret_missing: { level: "wrong", fixable: false },
  secret_damaged: { level: "wrong", fixable: false },
  secret_mismatch: { level: "wrong", fixable: false },
  secret_revived: { level: "wrong", fixable: false },
  mirror_damaged: { level: "wrong", fixable: false },

  // Audit log, clock, rotations, sessions.
  audit_broken: { level: "wrong", fixable: false },
  audit_unsent: { level: "wrong", fixable: false },
  audit_large: { level: "note", fixable: false },
  clock_behind: { level: "wrong", fixable: false },
  rotation_due: { level: "wrong", fixable: false },
  standby_forgotten: { level: "note", fixable: false },
  exec_ended: { level: "wrong", fixable: false },
  exec_grace: { level: "note", fixable: false },
  delivery_behind: { level: "wrong", fixable: false },
  schedule_older: { level: "wrong", fixable: false },
  delivery_on_disk: { level: "note", fixable: false },
  fallback_used: { level: "note", fixable: false },
  sessions_ended: { level: "note", fixable: false },
} as const satisfies Record<string, { level: "wrong" | "note"; fixable: boolean }>;

/** Stable name of a finding; scripts may rely on it. */
export type FindingCode = keyof typeof FINDINGS;

/** One problem or note. It contains nothing secret. */
export interface Finding {
  readonly code: FindingCode;
  /** What was found: one plain sentence without a final period. */
  readonly what: string;
  /** What it means, in the same form. */
  readonly why: string;
  /** The shell command that fixes it; `null` when there is nothing to do. */
  readonly command: string | null;
  /** Fixes it; only for findings that can be fixed without risk. */
  readonly fix?: () => void | Promise<void>;
  /** What is left to do once it is fixed. */
  readonly afterFix?: string;
}

/** Result of a check for a part that this installation does not use, such as a keyring. */
export const NOT_USED = "not used";
export type NotUsed = typeof NOT_USED;

/** Quotes a word for the shell of this system. */
export const shellWord = SYSTEM.processes.quoted;

/** A schedule that rotates by itself. */
export interface SetUpSchedule {
  /** Whether it keeps deliveries up to date, too. */
  readonly isWatched: boolean;
  /** The command that sets it up, after `rekey`. */
  readonly command: string;
}

/** What the doctor examines, and what it needs to know for that. */
export interface DoctorContext {
  readonly environment: Environment;
  /** A variable of the environment; an empty one counts as not set. */
  readonly variable: (name: string) => string | undefined;
  /** Age at which a rotation is due, in milliseconds. */
  readonly maxAgeMs: number;
  /** Flags that name this app and its folder, for suggested commands: `--app acme`. */
  readonly flags: string;
  /** The schedules of this app. Called when there are deliveries only. */
  readonly schedules: () => readonly SetUpSchedule[];
  /** Called with the number of audit rows checked so far. */
  readonly onProgress: (rows: number) => void;
}

/** The context with the database opened as found. */
export interface OpenDoctorContext extends DoctorContext {
  readonly installation: Installation;
  /** Size in bytes of the write-ahead log before it was opened, if no program had it open; default: 0. */
  readonly log?: number | undefined;
  /**
   * When the check began, as `performance.now()` counts. A check that looks again, since a version has changed, does not
   * wait again.
   */
  readonly begunAt: number;
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
