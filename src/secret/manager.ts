import type { Location } from "../core/secret_store.ts";
import type { AuditEntry, Head } from "../audit/events.ts";
import type { RekeyError } from "../core/errors.ts";
import { catchUp } from "../cluster/catch_up.ts";
import { type Environment, Installation } from "../store/installation.ts";
import type { Kek } from "../store/sealed/kek.ts";
import type { TokenPolicy } from "../store/token_policy.ts";
import { exclusively } from "../store/lock.ts";
import type { Version } from "../store/sqlite/versions.ts";
import { announce, withdraw } from "./announcement.ts";
import { notInitialised } from "./errors.ts";
import { create, type CreateOptions, openOrAdopt } from "./first_version.ts";
import { settleImport, settleUsage } from "./key_usage.ts";
import { destroy } from "./destruction.ts";
import { rotateKek } from "./kek_rotation.ts";
import type { Import } from "./imported.ts";
import { Observations } from "./observations.ts";
import { endGrace, recover, recoverIfNeeded } from "./recovery.ts";
import { FleetMember } from "./fleet_member.ts";
import { changePolicy, type PolicyChange } from "./policy_change.ts";
import { revokeShared } from "./shared_rotation.ts";
import { migrateToCluster } from "./migrate_to_cluster.ts";
import { mustBeAbleToRotate } from "./outlook.ts";
import { isShared } from "./sharing.ts";
import { type Moved, relocate } from "./relocation.ts";
import { keptHead, placesOf } from "./locations.ts";
import { retrieve, type Retrieved } from "./retrieval.ts";
import { nextLocation, rotate } from "./rotate.ts";
import type { Changed } from "./rotation.ts";
import { mayGiveWay, replaceUnused } from "./unused_secret.ts";
import { alreadyDone, type RotateOptions } from "./rotation_request.ts";

/**
 * Owns the JWT secret of one app: makes it, finds it, rotates it.
 *
 * @example
 * ```ts
 * const manager = new SecretManager(environment);
 * await manager.getOrCreate({ store: "auto", alg: "HS512", keyForm: "text" });
 * await manager.rotate({ reason: "security-incident" });
 * ```
 */
export class SecretManager {
  #installation: Installation | undefined;
  #replaced: Installation | undefined;
  /** What it has to do with machines that share the secret. */
  readonly fleet = new FleetMember(this);
  readonly #observations = new Observations();

  constructor(readonly environment: Environment) {
    environment.keyring.retry();
  }

  /**
   * The current secret; one that an older application left is adopted.
   *
   * @param purpose what it is for, for the audit log.
   * @throws {RekeyError} `not_initialised` when there is none, another code with exit status 4 when
   * it cannot be had. It never makes one.
   */
  async get(purpose?: string): Promise<Retrieved> {
    await this.fleet.mustBeKnown();
    const { installation, version } = await this.open();
    try {
      return await this.valueOf(version, purpose);
    } catch (error) {
      // A rotation that came in between has taken the value away; then the next one counts.
      if (installation.versions.current()?.version === version.version) throw error;
      return await this.get(purpose);
    }
  }

  /**
   * The current secret, made when there is none.
   *
   * @returns the secret, and whether this call made it.
   * @throws {RekeyError} `failed` when the secret is there with another algorithm or key form.
   */
  async getOrCreate(options: CreateOptions = {}): Promise<Retrieved & { created: boolean }> {
    const created = await this.#existing(options) === undefined && await this.#create(options);
    const { installation, version } = await this.open();
    settleUsage(installation, version, options);
    await installation.remember(isShared(installation));
    return { ...await this.get(), created };
  }

  /**
   * Makes a secret that an application had hard-coded the first version, or the one after a version that nothing was
   * done with. Its tokens stay valid.
   *
   * @returns the version that the secret is, whatever its state, and whether this call made it.
   * @throws {RekeyError} `already_initialised` when there is another secret.
   */
  async import(
    given: Import,
    options: CreateOptions,
  ): Promise<{ version: Version; made: boolean }> {
    // What is there already is not used as the import says.
    const there = await this.#existing({ store: options.store });
    const made = there === undefined
      ? await this.#create(options, given)
      : await this.#replace(there, given, options);
    const { installation, version: current } = await this.open();
    if (made) await installation.remember(isShared(installation));
    const version = settleImport(installation, current, given.secret.kid, options);
    return { version, made };
  }

  /**
   * Replaces the secret (design §6). Without a grace window every session ends with the commit.
   *
   * @throws {RekeyError} `busy` when another rotation does not end in time, a code with exit status 4
   * when the new secret cannot be stored; the old one is then still current.
   */
  rotate(options: RotateOptions = {}): Promise<Changed> {
    return this.underLock(async (installation) => {
      await options.permit?.();
      return await rotate(installation, options, this.#observations.retrieved);
    }, options.lockTimeoutMs);
  }

  /**
   * Ends every grace window now and destroys the values in them.
   *
   * @returns the versions that no longer verify.
   */
  revoke(lockTimeoutMs?: number): Promise<Version[]> {
    return this.underLock(async (installation) => {
      if (isShared(installation)) return await revokeShared(installation);
      const ended = installation.versions.previous();
      await endGrace(installation, ended, "revoked");
      await recover(installation);
      return ended;
    }, lockTimeoutMs);
  }

  /** Changes what every token must be, beyond its signature: {@linkcode changePolicy}. */
  setPolicy(change: PolicyChange, described: (policy: TokenPolicy) => string) {
    return this.underLock((installation) => changePolicy(installation, change, described));
  }

  /** Writes an event down. @throws {RekeyError} when that cannot be done now. */
  async writeDown(entry: AuditEntry): Promise<void> {
    const { installation } = await this.open();
    const audit = await installation.audit();
    installation.database.transaction(() => audit.append(entry));
  }

  /** Says when the next rotation will be made, milliseconds since the epoch. */
  async announce(at: number, reason?: string): Promise<void> {
    const { installation } = await this.open();
    await announce(installation, at, reason);
  }

  /** Takes that back; answers `false` when it is over, or when there is another announcement. */
  async withdraw(at: number, reason?: string): Promise<boolean> {
    const { installation } = await this.open();
    return await withdraw(installation, at, reason);
  }

  /** Finishes or undoes what other commands have left, and empties the write-ahead log if nobody else reads it. */
  async finish(lockTimeoutMs?: number): Promise<void> {
    const { database } = await this.underLock(
      (installation) => Promise.resolve(installation),
      lockTimeoutMs,
    );
    database.truncateLog();
  }

  /**
   * Seals everything under another KEK: the one in `keyFile`, or a generated one.
   *
   * @throws {RekeyError} `kek_…` when either KEK cannot be had; nothing is changed then.
   */
  rotateKek(keyFile?: string, lockTimeoutMs?: number): Promise<Kek> {
    return this.underLock((installation) => rotateKek(installation, keyFile), lockTimeoutMs);
  }

  /**
   * Moves every version that verifies to another location; later rotations stay there.
   *
   * @throws {RekeyError} a code with exit status 4 when a value cannot be read or the keyring not be used;
   * nothing is moved then.
   */
  move(to: Location, lockTimeoutMs?: number): Promise<Moved> {
    return this.underLock(async (installation) => {
      const note = this.#observations.retrieved;
      if (to === "etcd") {
        const moved = await migrateToCluster(installation, note);
        await installation.remember(true);
        return moved;
      }
      // What the others have ended must not count here again.
      if (isShared(installation)) await catchUp(installation);
      return await relocate(installation, to, note);
    }, lockTimeoutMs);
  }

  /**
   * Works alone, once what earlier commands have left is finished or undone.
   *
   * @throws {RekeyError} `busy` when another command does not end in time.
   */
  async underLock<T>(
    work: (installation: Installation) => Promise<T>,
    waitMs?: number,
  ): Promise<T> {
    const { installation } = await this.open();
    return await exclusively(installation.lockPath, async () => {
      await recover(installation);
      return await work(installation);
    }, waitMs);
  }

  /** Where the current version lives, whether it has a mirror copy, and what the keyring says. */
  async places() {
    const { installation, version } = await this.open();
    return await placesOf(installation, version);
  }

  /** The version that would follow, and where it would live: what `rotate` would do, without doing it. */
  async planRotation(
    options: Pick<RotateOptions, "store" | "ifOlderThanMs" | "requestId"> = {},
  ): Promise<{ current: Version; location: Location; done: boolean }> {
    await this.fleet.mustBeKnown();
    const { installation, version: current } = await this.open();
    const done = alreadyDone(installation, current, options) !== undefined;
    // Under the lock, since finding out whether a keyring works may write to it.
    return await exclusively(installation.lockPath, async () => {
      return { current, location: await nextLocation(installation, options.store), done };
    });
  }

  /** Looks whether a rotation could be made now; throws what it would throw. Nothing is changed or unlocked. */
  async mustBeAbleToRotate(store?: RotateOptions["store"]): Promise<void> {
    await this.fleet.mustBeKnown();
    const { installation } = await this.open();
    await mustBeAbleToRotate(installation, store);
  }

  /** The version that a kid names, whatever its state. */
  async versionByKid(kid: string): Promise<Version | undefined> {
    return (await this.open()).installation.versions.byKid(kid);
  }

  /** Versions whose tokens verify now: the current one, then those inside a grace window. */
  async verifying(): Promise<readonly Version[]> {
    return (await this.look()).versions;
  }

  /** The same by what this machine knows; where others share the secret they are not asked. */
  async verifyingHere(): Promise<readonly Version[]> {
    const { installation, version } = await this.open();
    return [version, ...inGrace(installation)];
  }

  /** What a verification needs to know. */
  async look() {
    await this.fleet.mustBeKnown();
    const { installation, version } = await this.open();
    const { policy } = installation;
    return { installation, policy, versions: [version, ...inGrace(installation)] };
  }

  /** None: each retrieval is written down. */
  keptValue(): undefined {}

  /** The value of a version, for verification unless `purpose` says what else it is for. */
  async valueOf(version: Version, purpose?: string): Promise<Retrieved> {
    const { installation } = await this.open();
    // A failure's own reason says more.
    const note = (entry: AuditEntry) => this.#observations.retrieved({ reason: purpose, ...entry });
    return await retrieve(installation, version, note);
  }

  /** The database with its fixed settings, for the layers above. */
  async open(): Promise<{ installation: Installation; version: Version }> {
    const installation = await this.#existing();
    const version = installation?.versions.current();
    if (installation === undefined || version === undefined) {
      throw notInitialised(this.environment.app.name);
    }
    installation.mustHaveSettings();
    return { installation, version };
  }

  /** The head of the audit log that the keyring keeps, or why the keyring cannot be asked. */
  async keptHead(): Promise<{ head: Head | null; unavailable?: RekeyError }> {
    const { installation, version } = await this.open();
    return await keptHead(installation, version);
  }

  /** Takes note of verifications: `valid`, or the code of the refusal. */
  noteVerdict(result: string, count = 1): void {
    this.#observations.verified(result, count);
  }

  /** Writes down the retrievals and verifications of this process; answers `false` when that cannot be done now. */
  async flushNotes(waitMs = 100): Promise<boolean> {
    if (this.#observations.areNone) return true;
    // A malformed token is refused before anything is opened.
    const open = () => this.#installation ??= Installation.openExisting(this.environment);
    return await this.#observations.flush(open, waitMs);
  }

  /**
   * Deletes the secret, its history and its keys: for tests, and for a machine that goes out of use.
   * What an older installation left and was never adopted is not ours to delete.
   *
   * @returns whether there was anything.
   * @throws {RekeyError} a `keyring_…` code when a value in the keyring cannot be deleted; then
   * nothing else is either.
   */
  async destroy(): Promise<boolean> {
    const installation = this.#installation ?? Installation.openExisting(this.environment);
    if (installation === undefined) return false;
    const wasBegun = installation.meta.get("destroying") !== undefined;
    if (!wasBegun && installation.versions.every().length === 0) return false;
    await exclusively(installation.lockPath, () => destroy(installation));
    this.#installation = undefined;
    this.#observations.forget();
    return true;
  }

  close(): void {
    this.#installation?.close();
    this.#replaced?.close();
    this.#installation = this.#replaced = undefined;
  }

  /** For a program that goes on for long: lets go of a database that is no longer the one at its path. */
  refresh(): void {
    if (!this.#installation?.wasReplaced()) return;
    // Somebody may be in the midst of using it, so it is closed only after the next one.
    this.#replaced?.close();
    this.#replaced = this.#installation;
    this.#installation = undefined;
  }

  /** The installation with its versions, adopted if an older application left a secret. */
  async #existing(options: CreateOptions = {}): Promise<Installation | undefined> {
    if (this.#installation?.versions.current() === undefined) {
      this.#installation = await openOrAdopt(this.environment, options);
    }
    if (this.#installation !== undefined) await recoverIfNeeded(this.#installation);
    return this.#installation;
  }

  async #replace(there: Installation, given: Import, options: CreateOptions): Promise<boolean> {
    if (!mayGiveWay(there, given.secret.kid)) return false;
    return await this.underLock((installation) => replaceUnused(installation, given, options));
  }

  async #create(options: CreateOptions, given?: Import): Promise<boolean> {
    const { opened, made } = await create(this.environment, options, given);
    this.#installation = opened;
    return made;
  }
}

/** Older versions that verify still, by what this machine knows. */
export function inGrace(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter(({ grace_until }) => (grace_until ?? 0) > now);
}
