import type { AuditEntry } from "../audit/events.ts";
import type { Head } from "../audit/head.ts";
import { asRefusal, isRekeyError, RekeyError } from "../core/errors.ts";
import { catchUp } from "../fleet/catch_up.ts";
import { type Environment, Installation, type StoreChoice } from "../store/installation.ts";
import type { Kek } from "../store/kek.ts";
import { locationForNew } from "../store/location.ts";
import { exclusively } from "../store/lock.ts";
import { currentSlot } from "../store/secret_store.ts";
import type { Location, Version } from "../store/versions.ts";
import { announce, withdraw } from "./announcement.ts";
import { notInitialised } from "./adoption.ts";
import { keepCopy } from "./automatic_copy.ts";
import {
  create,
  type CreateOptions,
  LOCK_TIMEOUT_MS,
  openOrAdopt,
  settleUse,
} from "./first_version.ts";
import { destroy } from "./destruction.ts";
import { rotateKek } from "./kek_rotation.ts";
import type { Import } from "./imported.ts";
import { mayReplace, ownNote } from "./keyring_note.ts";
import { Observations } from "./observations.ts";
import { endGrace, recover, recoverIfNeeded } from "./recovery.ts";
import { FleetMember } from "./fleet_member.ts";
import { revokeShared, rotateShared } from "./shared_rotation.ts";
import { isShared, share } from "./sharing.ts";
import { type Moved, relocate } from "./relocation.ts";
import { retrieve, type Retrieved } from "./retrieval.ts";
import { type Changed, changeSecret } from "./rotation.ts";
import { alreadyDone, refuseOneTooMany, type RotateOptions } from "./rotation_request.ts";

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
    settleUse(installation, version, options);
    return { ...await this.get(), created };
  }

  /**
   * Makes a secret that an application had hard-coded the first version. Its tokens stay valid.
   *
   * @returns the version that the secret is, whatever its state, and whether this call made it.
   * @throws {RekeyError} `already_initialised` when there is another secret.
   */
  async import(
    given: Import,
    options: CreateOptions,
  ): Promise<{ version: Version; made: boolean }> {
    const { kid } = given.secret;
    // What is there already is not used as the import says.
    const there = await this.#existing({ store: options.store });
    const made = there === undefined && await this.#create(options, given);
    const { installation, version: current } = await this.open();
    const version = installation.versions.byKid(kid);
    if (version !== undefined && version.activated_at !== null) {
      const { algorithm, keyForm } = installation;
      if (algorithm === options.alg && keyForm === options.keyForm) return { version, made };
      throw new RekeyError(
        "failed",
        `Cannot import the secret again: it is there as ${algorithm}, key form ${keyForm}`,
        { hint: "`rekey init --alg --key-form` changes how an imported secret is used" },
      );
    }
    throw new RekeyError(
      "already_initialised",
      `Cannot import a secret: there is one already, version ${current.version} (kid ${current.kid})`,
      { hint: "Import into another app with --app, or `rekey destroy` this one first" },
    );
  }

  /**
   * Replaces the secret (design §6). Without a grace window every session ends with the commit.
   *
   * @throws {RekeyError} `busy` when another rotation does not end in time, a code with exit status 4
   * when the new secret cannot be stored; the old one is then still current.
   */
  async rotate(options: RotateOptions = {}): Promise<Changed> {
    const { installation } = await this.open();
    const wait = options.lockTimeoutMs ?? LOCK_TIMEOUT_MS;
    return await exclusively(installation.lockPath, wait, async () => {
      await options.permit?.();
      await recover(installation);
      const graceMs = options.graceMs ?? 0;
      if (staysShared(installation, options.store)) {
        return await rotateShared(installation, options, wait);
      }
      await catchUpToLeave(installation, graceMs);
      // Asked again under the lock: another rotation may have been first.
      const old = installation.versions.current();
      if (old === undefined) throw notInitialised(this.environment.app.name);
      const done = alreadyDone(installation, old, options);
      if (done !== undefined) return done;
      if (graceMs > 0) {
        refuseOneTooMany(installation);
        await this.#mustBeReadable(installation, old);
      }
      const store = options.store ?? installation.store;
      const location = await locationForNew(
        installation.keyring,
        store,
        old,
        (kid) => mayReplace(installation, kid),
      );
      const reason = options.reason ?? null;
      if (options.backup ?? true) await keepCopy(installation, old);
      const change = { old, location, reason, graceMs, requestId: options.requestId };
      return await changeSecret(installation, change, options.onStep);
    });
  }

  /**
   * Ends every grace window now and destroys the values in them.
   *
   * @returns the versions that no longer verify.
   */
  async revoke(lockTimeoutMs = LOCK_TIMEOUT_MS): Promise<Version[]> {
    const { installation } = await this.open();
    return await exclusively(installation.lockPath, lockTimeoutMs, async () => {
      await recover(installation);
      if (isShared(installation)) return await revokeShared(installation);
      const ended = installation.versions.previous();
      await endGrace(installation, ended, "revoked");
      await recover(installation);
      return ended;
    });
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
  async finish(lockTimeoutMs = LOCK_TIMEOUT_MS): Promise<void> {
    const { installation } = await this.open();
    await exclusively(installation.lockPath, lockTimeoutMs, () => recover(installation));
    installation.database.truncateLog();
  }

  /**
   * Seals everything under another KEK: the one in `keyFile`, or a generated one.
   *
   * @throws {RekeyError} `kek_…` when either KEK cannot be had; nothing is changed then.
   */
  async rotateKek(keyFile?: string, lockTimeoutMs = LOCK_TIMEOUT_MS): Promise<Kek> {
    const { installation } = await this.open();
    return await exclusively(installation.lockPath, lockTimeoutMs, async () => {
      await recover(installation);
      return await rotateKek(installation, keyFile);
    });
  }

  /**
   * Moves every version that verifies to another location; later rotations stay there.
   *
   * @throws {RekeyError} a code with exit status 4 when a value cannot be read or the keyring not be used;
   * nothing is moved then.
   */
  async move(to: Location, lockTimeoutMs = LOCK_TIMEOUT_MS): Promise<Moved> {
    const { installation } = await this.open();
    return await exclusively(installation.lockPath, lockTimeoutMs, async () => {
      await recover(installation);
      const note = this.#observations.retrieved;
      if (to !== "etcd" && isShared(installation)) await catchUp(installation);
      return await (to === "etcd" ? share(installation, note) : relocate(installation, to, note));
    });
  }

  /** Where the current version lives, whether it has a mirror copy, and what the keyring says. */
  async places() {
    const { installation, version } = await this.open();
    const { store, sealed, keyring, database } = installation;
    const mirrored = version.location === "keyring" &&
      sealed.sealedValue(currentSlot(version)) !== undefined;
    const unavailable = await keyring.reach(currentSlot(version)).then(
      () => undefined,
      asRefusal,
    );
    return { version, store, mirrored, keyring: unavailable, database: database.path };
  }

  /** The version that would follow, and where it would live: what `rotate` would do, without doing it. */
  async planRotation(
    options: Pick<RotateOptions, "store" | "ifOlderThanMs" | "requestId"> = {},
  ): Promise<{ current: Version; location: Location; done: boolean }> {
    await this.fleet.mustBeKnown();
    const { installation, version: current } = await this.open();
    const choice = options.store ?? installation.store;
    const done = alreadyDone(installation, current, options) !== undefined;
    // Under the lock, since finding out whether a keyring works may write to it.
    return await exclusively(installation.lockPath, LOCK_TIMEOUT_MS, async () => {
      const known = (kid: string) => mayReplace(installation, kid);
      const location = staysShared(installation, options.store)
        ? "etcd"
        : await locationForNew(installation.keyring, choice, current, known);
      return { current, location, done };
    });
  }

  /** The version that a kid names, whatever its state. */
  async versionByKid(kid: string): Promise<Version | undefined> {
    return (await this.open()).installation.versions.byKid(kid);
  }

  /** Versions whose tokens verify now: the current one, then those inside a grace window. */
  async verifying(): Promise<readonly Version[]> {
    return (await this.look()).versions;
  }

  /** What a verification needs to know. */
  async look() {
    await this.fleet.mustBeKnown();
    const { installation, version } = await this.open();
    const { algorithm, keyForm } = installation;
    return { installation, algorithm, keyForm, versions: [version, ...inGrace(installation)] };
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
    return { installation, version };
  }

  /** The head of the audit log that the keyring keeps, or why the keyring cannot be asked. */
  async keptHead(): Promise<{ head: Head | null; unavailable?: RekeyError }> {
    const { installation, version } = await this.open();
    if (version.location !== "keyring") return { head: null };
    try {
      return { head: (await ownNote(installation))?.head ?? null };
    } catch (error) {
      if (isRekeyError(error)) return { head: null, unavailable: error };
      throw error;
    }
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
    if (installation === undefined || installation.versions.every().length === 0) return false;
    await exclusively(installation.lockPath, LOCK_TIMEOUT_MS, () => destroy(installation));
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

  async #create(options: CreateOptions, given?: Import): Promise<boolean> {
    const { opened, made } = await create(this.environment, options, given);
    this.#installation = opened;
    return made;
  }

  async #mustBeReadable(installation: Installation, old: Version): Promise<void> {
    try {
      await retrieve(installation, old, this.#observations.retrieved);
    } catch (error) {
      if (!isRekeyError(error)) throw error;
      throw new RekeyError(error.code, `Cannot give a grace window: ${error.message}`, {
        hint: "Without --grace the old secret is not needed",
        cause: error,
      });
    }
  }
}

/** Whether a rotation happens in etcd: the secret is there, and nobody wants it elsewhere. */
function staysShared(installation: Installation, wanted?: StoreChoice): boolean {
  return isShared(installation) && ["auto", "etcd"].includes(wanted ?? installation.store);
}

/**
 * Before a machine leaves its fleet: what the others have ended must not count here again. In an emergency without etcd
 * a rotation that ends everything does without.
 */
async function catchUpToLeave(installation: Installation, graceMs: number): Promise<void> {
  if (!isShared(installation)) return;
  try {
    await catchUp(installation);
  } catch (error) {
    if (graceMs > 0 || !isRekeyError(error)) throw error;
  }
}

function inGrace(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter(({ grace_until }) => (grace_until ?? 0) > now);
}
