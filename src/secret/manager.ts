import type { AuditEntry } from "../audit/events.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import type { KeyForm } from "../core/secret.ts";
import { type Algorithm, type Environment, Installation } from "../store/installation.ts";
import type { StoreChoice } from "../store/installation.ts";
import { KEYRING_UNAVAILABLE } from "../store/keyring_errors.ts";
import { locationForNew } from "../store/location.ts";
import { exclusively } from "../store/lock.ts";
import type { Version } from "../store/versions.ts";
import { adopt, type Found, inKeyring, notInitialised, plainRow } from "./adoption.ts";
import { destroy, destroyUnadopted } from "./destruction.ts";
import { recover, recoverIfNeeded } from "./recovery.ts";
import { retrieve, type Retrieved } from "./retrieval.ts";
import { type Changed, changeSecret, type RotationStep } from "./rotation.ts";

/** How long a command waits for another one's rotation by default, in milliseconds. */
export const LOCK_TIMEOUT_MS = 10_000;

/** What the operator says of a first secret. */
export interface CreateOptions {
  /** Default `auto`. */
  readonly store?: StoreChoice | undefined;
  /** Default HS512. */
  readonly alg?: Algorithm | undefined;
  /** Default `text`. */
  readonly keyForm?: KeyForm | undefined;
}

/** What {@linkcode SecretManager.rotate} does differently when asked. */
export interface RotateOptions {
  /** Default: the choice made at `init`. */
  readonly store?: StoreChoice | undefined;
  readonly reason?: string | undefined;
  /** How long the old secret still verifies, in milliseconds. Default 0: all sessions end now. */
  readonly graceMs?: number | undefined;
  readonly lockTimeoutMs?: number | undefined;
  readonly onStep?: ((step: RotationStep) => void) | undefined;
}

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
  readonly #notes: AuditEntry[] = [];

  constructor(readonly environment: Environment) {}

  /**
   * The current secret; one that an older application left is adopted.
   *
   * @throws {RekeyError} `not_initialised` when there is none, another code with exit status 4 when
   * it cannot be had. It never makes one.
   */
  async get(): Promise<Retrieved> {
    const { installation, version } = await this.open();
    return await retrieve(installation, version, this.#note);
  }

  /**
   * The current secret, made when there is none.
   *
   * @returns the secret, and whether this call made it.
   * @throws {RekeyError} `failed` when the secret is there with another algorithm or key form.
   */
  async getOrCreate(options: CreateOptions = {}): Promise<Retrieved & { created: boolean }> {
    const created = await this.#existing(options) === undefined && await this.#create(options);
    await this.#settle(options);
    return { ...await this.get(), created };
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
      await recover(installation);
      // Asked again under the lock: another rotation may have been first.
      const old = installation.versions.current();
      if (old === undefined) throw notInitialised(this.environment.app.name);
      const graceMs = options.graceMs ?? 0;
      if (graceMs > 0) await this.#mustBeReadable(installation, old);
      const store = options.store ?? installation.store;
      const location = await locationForNew(installation.keyring, store, old);
      const reason = options.reason ?? null;
      return await changeSecret(installation, { old, location, reason, graceMs }, options.onStep);
    });
  }

  /** The version that would follow, and where it would live: what `rotate` would do, without doing it. */
  async planRotation(
    store?: StoreChoice,
  ): Promise<{ current: Version; location: Version["location"] }> {
    const { installation, version } = await this.open();
    const choice = store ?? installation.store;
    // Under the lock, since finding out whether a keyring works may write to it.
    return await exclusively(installation.lockPath, LOCK_TIMEOUT_MS, async () => {
      const location = await locationForNew(installation.keyring, choice, version);
      return { current: version, location };
    });
  }

  /** The version that a kid names, whatever its state. */
  async versionByKid(kid: string): Promise<Version | undefined> {
    return (await this.open()).installation.versions.byKid(kid);
  }

  /** Versions whose tokens verify now: the current one, then those inside a grace window. */
  async verifying(): Promise<Version[]> {
    const { installation, version } = await this.open();
    return [version, ...inGrace(installation)];
  }

  /** The value of a version, for verification. */
  async valueOf(version: Version): Promise<Retrieved> {
    const { installation } = await this.open();
    return await retrieve(installation, version, this.#note);
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

  /**
   * Writes down the retrievals of this process. They are observations, not changes: when the log
   * cannot be written just now they are dropped, and `false` is answered.
   */
  async flushNotes(waitMs = 100): Promise<boolean> {
    const notes = this.#notes.splice(0);
    const installation = this.#installation;
    if (notes.length === 0 || installation === undefined) return true;
    try {
      const audit = await installation.audit();
      installation.database.transaction(() => notes.forEach((note) => audit.append(note)), waitMs);
      return true;
    } catch (error) {
      if (isRekeyError(error)) return false;
      throw error;
    }
  }

  /**
   * Deletes the secret, its history and its keys: for tests, and for a machine that goes out of use.
   *
   * @returns whether there was anything.
   * @throws {RekeyError} a `keyring_…` code when a value in the keyring cannot be deleted; then
   * nothing else is either.
   */
  async destroy(): Promise<boolean> {
    const installation = this.#installation ??= Installation.openExisting(this.environment);
    if (installation === undefined) return await destroyUnadopted(this.environment.keyring);
    await exclusively(installation.lockPath, LOCK_TIMEOUT_MS, () => destroy(installation));
    this.#installation = undefined;
    this.#notes.length = 0;
    return true;
  }

  close(): void {
    this.#installation?.close();
    this.#installation = undefined;
  }

  readonly #note = (entry: AuditEntry): void => {
    this.#notes.push(entry);
  };

  /** The installation with its versions, adopted if an older application left a secret. */
  async #existing(options: CreateOptions = {}): Promise<Installation | undefined> {
    const installation = this.#installation ??= Installation.openExisting(this.environment);
    if (installation?.versions.current() !== undefined) {
      await recoverIfNeeded(installation);
      return installation;
    }
    if (installation === undefined && await this.#leftBehind(options.store) === undefined) {
      return undefined;
    }
    const opened = this.#installation ??= Installation.open(this.environment);
    await this.#first(opened, options, async () => {
      const found = await this.#leftBehind(options.store, opened);
      return found && (() => adopt(opened, found));
    });
    return opened.versions.current() && opened;
  }

  async #create(options: CreateOptions): Promise<boolean> {
    // Before there is a file: a keyring that refuses leaves nothing behind.
    const store = options.store ?? "auto";
    const location = await locationForNew(this.environment.keyring, store, undefined);
    const installation = this.#installation ??= Installation.open(this.environment);
    const first = { old: undefined, location, reason: null, graceMs: 0 };
    return await this.#first(
      installation,
      options,
      () => Promise.resolve(() => changeSecret(installation, first)),
    );
  }

  /**
   * Lets the operator say how an adopted secret is used, which its older application cannot tell; a
   * secret of our own stays what it was made as.
   */
  async #settle({ alg, keyForm }: CreateOptions): Promise<void> {
    const { installation, version } = await this.open();
    const { algorithm: oldAlg, keyForm: oldForm } = installation;
    if ((alg ?? oldAlg) === oldAlg && (keyForm ?? oldForm) === oldForm) return;
    if (version.origin !== "adopted") {
      throw new RekeyError(
        "failed",
        `Cannot change the secret's use: it is ${oldAlg}, key form ${oldForm}`,
        {
          hint: "Its tokens depend on it; another app (--app) can have another use",
        },
      );
    }
    installation.database.transaction(() => {
      installation.meta.set("alg", alg ?? oldAlg);
      installation.meta.set("key_form", keyForm ?? oldForm);
    });
  }

  /**
   * Makes the first version under the lock, unless another process has done so meanwhile.
   *
   * @param how answers what to do, or `undefined` to leave everything as it is.
   */
  #first(
    installation: Installation,
    options: CreateOptions,
    how: () => Promise<(() => Promise<unknown>) | undefined>,
  ): Promise<boolean> {
    return exclusively(installation.lockPath, LOCK_TIMEOUT_MS, async () => {
      if (installation.versions.current() !== undefined) return false;
      const make = await how();
      if (make === undefined) return false;
      const { store = "auto", alg = "HS512", keyForm = "text" } = options;
      await installation.prepare({ store, alg, keyForm });
      await recover(installation);
      await make();
      return true;
    });
  }

  /** A secret of an older installation. The keyring comes first, as the older application had it. */
  async #leftBehind(store?: StoreChoice, installation?: Installation): Promise<Found | undefined> {
    const row = () => plainRow(installation?.sealed.rawValue());
    try {
      return await inKeyring(this.environment) ?? row();
    } catch (error) {
      // A keyring that is there and cannot be read may hold the secret that is really in use: only the
      // operator can decide for the row.
      if (store === "database" && isRekeyError(error, ...KEYRING_UNAVAILABLE)) return row();
      throw error;
    }
  }

  async #mustBeReadable(installation: Installation, old: Version): Promise<void> {
    try {
      await retrieve(installation, old, this.#note);
    } catch (error) {
      if (!isRekeyError(error)) throw error;
      throw new RekeyError(error.code, `Cannot give a grace window: ${error.message}`, {
        hint: "Without --grace the old secret is not needed",
        cause: error,
      });
    }
  }
}

function inGrace(installation: Installation): Version[] {
  const now = installation.now();
  return installation.versions.previous().filter(({ grace_until }) => (grace_until ?? 0) > now);
}
