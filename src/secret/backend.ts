import type { Location } from "../core/secret_store.ts";
import type { KeyForm } from "../core/secret.ts";
import type { Session } from "../store/sqlite/ended_sessions.ts";
import type { Installation } from "../store/installation.ts";
import type { Algorithm, TokenPolicy } from "../jwt/policy.ts";
import type { Environment, StoreChoice } from "../store/environment.ts";
import type { Kek } from "../store/sealed/kek.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { CreateOptions, Make } from "./create.ts";
import type { Import } from "./import/imported.ts";
import type { Moved } from "./move.ts";
import type { Note } from "./retrieve.ts";
import type { Changed, RotateOptions } from "./rotation.ts";

/**
 * What is done differently with a secret that is this machine's own and with one that machines share. Methods that
 * change something are called under the lock, after recovery.
 *
 * Which one it is follows the row of the current version: see {@linkcode BackendAt}.
 */
export interface Backend {
  /** Whether machines share the secret. */
  readonly isShared: boolean;

  /** Decides how a first version is made, before there is a database: what refuses leaves nothing behind. */
  planFirst(environment: Environment, options: CreateOptions, given?: Import): Promise<Make>;
  rotate(installation: Installation, options: RotateOptions, note: Note): Promise<Changed>;
  /** Where the next version is to live. */
  nextLocation(installation: Installation, wanted: StoreChoice | undefined): Promise<Location>;
  /** Ends every grace window now. @returns the versions that no longer verify. */
  revoke(installation: Installation): Promise<Version[]>;
  /** Seals everything under another KEK. @throws {RekeyError} `kek_…` when either KEK cannot be had; nothing is changed then. */
  rotateKek(installation: Installation, keyFile: string | undefined): Promise<Kek>;
  setPolicy(
    installation: Installation,
    change: PolicyChange,
    described: (policy: TokenPolicy) => string,
  ): Promise<TokenPolicy>;
  /** Changes how the current version is used as a key. @throws {RekeyError} `failed` when it cannot be changed. */
  setUsage(installation: Installation, version: Version, usage: Required<HmacUsage>): void;
  /**
   * Moves every version that verifies to another location; later rotations stay there.
   *
   * @throws {RekeyError} a code with exit status 4 when a value cannot be read or the keyring not be used; nothing is
   * moved then.
   */
  move(installation: Installation, to: Location, note: Note): Promise<Moved>;
  /** Keeps how the KEK and etcd are named now, once that has proved right. */
  remember(installation: Installation): Promise<void>;
  /** Whether anything may depend on the secret. */
  wasUsed(installation: Installation): boolean;

  /** Makes sure that what other machines have done is known here. A command asks once. */
  ensureFresh(installation: Installation): Promise<void>;
  /** Takes over what other machines have done. @returns whether there was anything. */
  catchUp(installation: Installation): Promise<boolean>;
  /** Publishes the version that is to follow, unless there is one. @throws {RekeyError} `failed` when not shared. */
  prepare(
    installation: Installation,
    reason: string | null,
    usage: HmacUsage,
  ): Promise<{ version: Version; made: boolean }>;
  /**
   * Makes the prepared version the current one.
   *
   * @throws {RekeyError} `check_failed` when a server has not confirmed that it holds it, unless `force`d; `failed`
   * when none is prepared, or the secret is not shared.
   */
  activate(installation: Installation, options: Activation): Promise<Changed>;
  /** Tells other machines of sessions that are to end before their time. @returns how many it told of. */
  shareEnded(installation: Installation, find: FindSessions): Promise<number>;
  /** Waits until every server goes by what is shared now. @returns servers that have not confirmed it in time. */
  untilFollowed(installation: Installation, waitMs: number): Promise<Member[]>;
}

/** Chooses by where the current version lives, or is to live. */
export type BackendAt = (location: Location | undefined) => Backend;

/** How a version's value is used as an HMAC key. */
export interface HmacUsage {
  readonly alg?: Algorithm | undefined;
  readonly keyForm?: KeyForm | undefined;
}

/** How a prepared version becomes the current one. */
export interface Activation {
  /** How long the old version still verifies, in milliseconds. Default 0. */
  readonly graceMs?: number | undefined;
  /** Whether servers that have not confirmed do not matter. */
  readonly force?: boolean | undefined;
  /** Whether a copy of what is known of the versions is kept first; default true. */
  readonly backup?: boolean | undefined;
}

/** A policy made of the one that is there, which may be damaged: it is read only by a change that keeps a part of it. */
export type PolicyChange = (before: () => TokenPolicy) => TokenPolicy;

/** Finds sessions at a moment in milliseconds since the epoch. */
export type FindSessions = (installation: Installation, now: number) => readonly Session[];

/** A running server of the fleet, as it shows itself in etcd. Nothing of it is secret, and nothing that matters is taken from it. */
export interface Member {
  /** Random, of one run of a server. */
  readonly id: string;
  /** `user@host`. */
  readonly actor: string;
  /** The change of the shared state that it goes by. */
  readonly change: number;
  /** The version that it verifies with. */
  readonly version: number;
  /** kid of the version that is to follow, once its value is here and can be opened. */
  readonly prepared: string | null;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** How long it goes on without hearing from etcd, in milliseconds. */
  readonly max_staleness: number;
  /** Of the program. */
  readonly rekey: string;
}
