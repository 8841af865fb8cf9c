import { HERE } from "../system/here.ts";

/**
 * Every finding that there is. `wrong` is for the operator to act on; a `note` is worth knowing. A finding that can be
 * `mended` is one whose mending can do no harm. docs/doctor.md prints this table and a test compares the two.
 */
export const FINDINGS = {
  not_initialised: { level: "wrong", mended: false },

  // Files and folders.
  way_unsafe: { level: "wrong", mended: false },
  file_owner: { level: "wrong", mended: false },
  file_mode: { level: "wrong", mended: true },
  disk_full: { level: "wrong", mended: false },
  disk_low: { level: "note", mended: false },

  // The database.
  database_unusable: { level: "wrong", mended: false },
  database_damaged: { level: "wrong", mended: false },
  database_foreign: { level: "wrong", mended: false },
  database_newer: { level: "wrong", mended: false },
  database_locked: { level: "wrong", mended: false },
  log_left: { level: "note", mended: true },
  unfinished: { level: "note", mended: true },
  under_way: { level: "note", mended: false },

  // The key-encryption key.
  kek_missing: { level: "wrong", mended: false },
  kek_invalid: { level: "wrong", mended: false },
  kek_wrong: { level: "wrong", mended: false },
  kek_exposed: { level: "wrong", mended: true },
  kek_readable: { level: "note", mended: false },

  // The keyring.
  bus_missing: { level: "wrong", mended: false },
  keyring_absent: { level: "wrong", mended: false },
  keyring_locked: { level: "wrong", mended: false },
  keyring_denied: { level: "wrong", mended: false },
  keyring_ambiguous: { level: "wrong", mended: false },
  keyring_timeout: { level: "wrong", mended: false },
  keyring_failed: { level: "wrong", mended: false },
  keyring_keeps: { level: "note", mended: false },
  keyring_unused: { level: "note", mended: false },

  // The machines that share the secret.
  etcd_unconfigured: { level: "wrong", mended: false },
  etcd_unavailable: { level: "wrong", mended: false },
  etcd_denied: { level: "wrong", mended: false },
  etcd_failed: { level: "wrong", mended: false },
  etcd_member_down: { level: "wrong", mended: false },
  etcd_alarm: { level: "wrong", mended: false },
  etcd_split: { level: "wrong", mended: false },
  etcd_single: { level: "note", mended: false },
  fleet_behind: { level: "wrong", mended: false },
  fleet_foreign: { level: "wrong", mended: false },
  fleet_lagging: { level: "wrong", mended: false },

  // The values.
  secret_missing: { level: "wrong", mended: false },
  secret_damaged: { level: "wrong", mended: false },
  secret_mismatch: { level: "wrong", mended: false },
  mirror_damaged: { level: "wrong", mended: false },

  // What happened.
  audit_broken: { level: "wrong", mended: false },
  clock_behind: { level: "wrong", mended: false },
  rotation_due: { level: "wrong", mended: false },
  exec_ended: { level: "wrong", mended: false },
  exec_grace: { level: "note", mended: false },
  fallback_used: { level: "note", mended: false },
  sessions_ended: { level: "note", mended: false },
} as const satisfies Record<string, { level: "wrong" | "note"; mended: boolean }>;

/** Stable name of a finding; scripts may rely on it. */
export type FindingCode = keyof typeof FINDINGS;

/** Something that is not as it should be, or worth knowing. Nothing in it is secret. */
export interface Finding {
  readonly code: FindingCode;
  /** What was found: one plain sentence without a final period. */
  readonly what: string;
  /** What it means, in the same form. */
  readonly why: string;
  /** The command that mends it, for a shell; `null` when there is nothing to do. */
  readonly command: string | null;
  /** Mends it, when that can do no harm. */
  readonly mend?: () => void | Promise<void>;
}

/** Of what this installation does not have, such as a keyring: nothing is wrong with it, and nothing well. */
export const NOT_USED = "not used";
export type NotUsed = typeof NOT_USED;

/** A word of a command line, for the shell that this system's users have. */
export const shellWord = HERE.processes.quoted;
