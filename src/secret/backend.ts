import type { Head } from "../audit/events.ts";
import type { Location } from "../core/location.ts";
import type { KeyForm, Secret, ShapeEncoding } from "../core/secret.ts";
import type { Session } from "../store/sqlite/ended_sessions.ts";
import type { Installation } from "../store/installation.ts";
import type { Algorithm } from "../core/algorithms.ts";
import type { TokenPolicy } from "../jwt/policy.ts";
import type { Environment, StoreChoice } from "../store/environment.ts";
import type { Kek } from "../store/sealed/kek.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type { CreateOptions, Make } from "./create.ts";
import type { Import } from "./import/imported.ts";
import type { Moved } from "./move.ts";
import type { MakeValue } from "./next_use.ts";
import type { Note } from "./retrieve.ts";

/**
 * The operations that differ between a local secret and one that machines share. Methods that change something are
 * called under the lock, after recovery. `SecretManager` chooses by the location of the current version.
 */
export interface Backend {
  /** Whether machines share the secret. */
  readonly isShared: boolean;

  /** Decides how a first version is made. Called before the database exists, so that an error leaves no file behind. */
  planFirst(environment: Environment, options: CreateOptions, given?: Import): Promise<Make>;
  rotate(installation: Installation, order: RotationOrder, note: Note): Promise<Changed>;
  /** Where the next version is to live. @param length of its value, at most, in characters. */
  nextLocation(
    installation: Installation,
    wanted: StoreChoice | undefined,
    length: number,
  ): Promise<Location>;
  /** Ends every grace window now. @returns the versions that no longer verify. */
  revoke(installation: Installation): Promise<Version[]>;
  /** Seals everything under another KEK. @throws {RekeyError} `kek_…` when either KEK is unavailable; nothing changes. */
  rotateKek(installation: Installation, keyFile: string | undefined): Promise<Kek>;
  setPolicy(
    installation: Installation,
    change: PolicyChange,
    described: (policy: TokenPolicy) => string,
  ): Promise<TokenPolicy>;
  /** Changes how the current version is used as a key. @throws {RekeyError} `failed` when it cannot be changed. */
  setUsage(installation: Installation, version: Version, usage: Required<HmacUsage>): Promise<void>;
  /**
   * Moves every version that verifies to another location; later rotations stay there.
   *
   * @throws {RekeyError} a code with exit status 4 when a value cannot be read or the keyring not be used; nothing is
   * moved then.
   */
  move(installation: Installation, to: Location, note: Note): Promise<Moved>;
  /** Stores the KEK and etcd options of this command, which have proved right, for later commands. */
  remember(installation: Installation): Promise<void>;
  /** Whether the secret may have been used. */
  wasUsed(installation: Installation): boolean;

  /** Makes sure that this machine knows the changes of other machines. A command reads etcd once. */
  ensureFresh(installation: Installation): Promise<void>;
  /** Follows the changes of other machines. @returns whether there were any. */
  catchUp(installation: Installation): Promise<boolean>;
  /**
   * Makes the next version, which verifiers get from now on, unless one is prepared and its value is there.
   *
   * @throws {RekeyError} `failed` when one with another use is prepared.
   */
  prepare(installation: Installation, order: Preparation, note: Note): Promise<Prepared>;
  /**
   * Makes the prepared version the current one.
   *
   * @throws {RekeyError} `check_failed` when a cache of the public set may lack it, or a server has not confirmed that it
   * holds it, unless `force`d; `failed` when none is prepared, and none was when the command began.
   */
  activate(installation: Installation, options: Activation, note: Note): Promise<Changed>;
  /** Shares sessions that are to end early with other machines. @returns how many. */
  shareEnded(installation: Installation, find: FindSessions): Promise<number>;
  /**
   * Waits until every server has followed the present state, and so have the programs that its machine delivers to.
   *
   * @returns servers that have not confirmed it in time.
   */
  untilFollowed(installation: Installation, waitMs: number): Promise<Member[]>;
}

/** The open database, its current version and the backend of that version. */
export interface OpenSecret {
  readonly installation: Installation;
  readonly version: Version;
  readonly backend: Backend;
}

/** The steps of a rotation, in order. It takes effect with `commit`; what follows can be done again. */
export const ROTATION_STEPS = ["begin", "write", "probe", "commit", "publish"] as const;
export type RotationStep = (typeof ROTATION_STEPS)[number];

/** Options of `SecretManager.rotate`. The old version keeps its own use and shape. */
export interface RotateOptions extends NewSecret {
  /** Default: the choice made at `init`. */
  readonly store?: StoreChoice | undefined;
  readonly reason?: string | undefined;
  /** How long the old secret still verifies, in milliseconds. Default 0: all sessions end now. */
  readonly graceMs?: number | undefined;
  readonly lockTimeoutMs?: number | undefined;
  /** Rotate only when the current version is older than this, in milliseconds. */
  readonly ifOlderThanMs?: number | undefined;
  /** A repeated id returns the rotation that it made the first time. */
  readonly requestId?: string | undefined;
  /** Whether to write an automatic copy first; default true. */
  readonly backup?: boolean | undefined;
  /** Gives the new version its value, under the lock; default: one that was made before, if that takes long. */
  readonly makeValue?: MakeValue | undefined;
  /** Called under the lock, when no other process can rotate, and again at each attempt; its error is the rotation's. */
  readonly permit?: (() => Promise<unknown>) | undefined;
  /** Called after each step, so that tests can stop there. */
  readonly onStep?: ((step: RotationStep) => void) | undefined;
  /**
   * Called with the proven version before it becomes the current one; its error is the rotation's, which then undoes all.
   * Others may have the lock meanwhile. Its signal aborts when an incident has overtaken the rotation.
   */
  readonly beforeCommit?:
    | ((pending: Version, secret: Secret, signal: AbortSignal) => Promise<void>)
    | undefined;
}

/** A rotation as a backend makes it. */
export interface RotationOrder extends Omit<RotateOptions, "beforeCommit"> {
  /** Like that of {@linkcode RotateOptions}. @throws {RekeyError} also `overtaken` when an incident came first. */
  readonly beforeCommit?: ((pending: Version, secret: Secret) => Promise<void>) | undefined;
}

/** Which version a new one replaces, and how. */
export interface Change {
  /** The version that verifies until the commit; none for the first one. */
  readonly old: Version | undefined;
  readonly location: Location;
  readonly reason: string | null;
  /** The caller's id for this rotation. */
  readonly requestId?: string | undefined;
  /** An imported value; default: a generated one. */
  readonly imported?: Secret | undefined;
  /** kid of its tokens, if it is not the value's own. */
  readonly tokenKid?: string | undefined;
  readonly use?: NewSecret | undefined;
  /** How long the old version still verifies after the commit, in milliseconds. */
  readonly graceMs: number;
  /** When it began, in milliseconds since the epoch; default: when its version was made. */
  readonly begunAt?: number | undefined;
}

/** Result of a rotation or activation. */
export interface Changed {
  /** False when no rotation was due, or another command has activated the version. */
  readonly rotated: boolean;
  readonly version: Version;
  readonly previous: Version | undefined;
  /** End of the old version's grace window, milliseconds since the epoch; null when it ended with the commit. */
  readonly graceUntil: number | null;
  /** Whether the keyring is up to date too; if not, the next command updates it. */
  readonly published: boolean;
  /** False when the audit log no longer holds the head that the keyring had kept of it. */
  readonly logWhole: boolean;
  /** Newest row of the audit log, to be stored where the machine's user cannot change it. */
  readonly head: Head | null;
}

/** How a version's value is used as a key. `keyForm` is for HMAC. */
export interface HmacUsage {
  readonly alg?: Algorithm | undefined;
  readonly keyForm?: KeyForm | undefined;
}

/** Use and shape of a new version. Default: as the version before it; the first: HS512, `text`, 64 bytes of base64. */
export interface NewSecret extends HmacUsage {
  /** Bits of an RSA key; default 2048. */
  readonly bits?: number | undefined;
  readonly bytes?: number | undefined;
  readonly encoding?: ShapeEncoding | undefined;
}

/** How the next version is prepared. */
export interface Preparation {
  /** As that of {@linkcode RotateOptions}. */
  readonly store?: StoreChoice | undefined;
  readonly reason: string | null;
  readonly usage: NewSecret;
  /** As that of {@linkcode RotateOptions}; default: it is made under the lock. */
  readonly makeValue?: MakeValue | undefined;
  /** As that of {@linkcode RotateOptions}. */
  readonly permit?: (() => void) | undefined;
}

/** Result of preparing a version. */
export interface Prepared {
  readonly version: Version;
  /** Whether this call made it. */
  readonly made: boolean;
}

/** How a prepared version becomes the current one. */
export interface Activation {
  /** kid of the version that was prepared when the command began: if it is current by now, another command was first. */
  readonly wanted?: string | undefined;
  /** How long the old version still verifies, in milliseconds. Default 0. */
  readonly graceMs?: number | undefined;
  /** Whether to activate although caches may lack it or servers have not confirmed. */
  readonly force?: boolean | undefined;
  /** Whether to write an automatic copy first; default true. */
  readonly backup?: boolean | undefined;
  /** As that of {@linkcode RotateOptions}. */
  readonly permit?: (() => void) | undefined;
}

/** Makes the new policy. The present one may be damaged, so it is read only by a change that keeps a part of it. */
export type PolicyChange = (before: () => TokenPolicy) => TokenPolicy;

/** Finds sessions. @param now milliseconds since the epoch. */
export type FindSessions = (installation: Installation, now: number) => readonly Session[];

/** A running server or delivery watch of the fleet, as registered in etcd. It is neither secret nor trusted. */
export interface Member {
  /** Random id of one run of a server. */
  readonly id: string;
  /** Id of its machine's installation; absent from an older rekey. */
  readonly machine?: string | undefined;
  /** `user@host`. */
  readonly actor: string;
  /** The last change that it has followed. */
  readonly change: number;
  /** Its current version. */
  readonly version: number;
  /** kid of the prepared version, once the server can open its value and verifiers that it is delivered to hold it. */
  readonly prepared: string | null;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** How long it accepts tokens without a response from etcd, in milliseconds. */
  readonly max_staleness: number;
  /** Version of the program. */
  readonly rekey: string;
  /** Absent if its machine delivers nothing, and from a rekey that knew no deliveries. */
  readonly deliveries?: MemberDeliveries | undefined;
}

/** Programs that a member's machine delivers to and that have not followed the change. Holds names, no value. */
export interface MemberDeliveries {
  /** How many. */
  readonly behind: number;
  /** The deliveries of the first of them. */
  readonly names: readonly string[];
}
