import type { KeyFlags } from "../key_flags.ts";
import type { NoticeFlags } from "../notices/rotation_notices.ts";

/** Flags of `rekey rotate`. Durations in seconds. */
export interface RotateFlags extends NoticeFlags, KeyFlags {
  readonly grace: number;
  readonly dryRun?: boolean;
  /** Reports a scheduled rotation that ended without a notice; rotates nothing. */
  readonly tellFailure?: boolean;
  readonly lockTimeout: number;
  readonly ifOlderThan?: number;
  readonly requestId?: string;
  readonly backup?: boolean;
  readonly wait?: number;
  readonly prepare?: boolean;
  readonly activate?: boolean;
  /** With `ifOlderThan`: how long the next version is prepared before it is activated. */
  readonly standby?: number;
  /** Whether a program that does not follow stops nothing. */
  readonly forceDeliveries?: boolean;
  /** Milliseconds since the epoch. */
  readonly at?: number;
}
