import type { TokenPolicy } from "../jwt/policy.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { VersionSet } from "./delivery.ts";
import type { DeliveredKey } from "./key_set.ts";
import type { KeySource } from "./key_source.ts";
import type { Records } from "./records.ts";
import type { SafeFolders } from "./target_folders.ts";

/** What deliveries that follow at once share. */
export interface DeliveryRound {
  readonly versions: VersionSet<Version>;
  readonly source: KeySource;
  /** Keys that verified before, in case some have ended since. */
  readonly before: readonly DeliveredKey[];
  readonly records: Records;
  readonly folders: SafeFolders;
  readonly policy: TokenPolicy;
  /** By which a rekey that a reload or probe calls finds the same installation. */
  readonly variables: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Whether what rekey did not write may be replaced. */
  readonly force: boolean;
  /** Whether nothing is written or reloaded, and every program asked. */
  readonly checkOnly: boolean;
  /** Whether this is before a commit, which a program that is down already prevents at once. */
  readonly isBeforeCommit: boolean;
  /** Names of deliveries whose programs have just not answered: without a reload they are not waited for again. */
  readonly silent: readonly string[];
  /** Aborts when the keys are no longer the ones to deliver: an incident waits for the end of this. */
  readonly signal: AbortSignal;
  /** Whether that is so now: it may have kept a value from being read before the signal tells. */
  isOver(): boolean;
}

/** The failure of a delivery that was stopped. It is not recorded: the next sync goes on. */
export const STOPPED = "stopped, since a key has ended meanwhile";
