import type { AuditEntry } from "../audit/events.ts";
import type { Location } from "../core/location.ts";
import type { Installation } from "../store/installation.ts";
import type { Environment } from "../store/environment.ts";
import type { Turn } from "../store/sqlite/turn.ts";
import type { VerifyPolicy } from "../jwt/policy.ts";
import { type Verified, verifyToken } from "../jwt/verifier.ts";
import { isRekeyError } from "../core/errors.ts";
import type { Version } from "../store/sqlite/versions.ts";
import type {
  Backend,
  Changed,
  FindSessions,
  OpenSecret,
  RotateOptions,
  RotationOrder,
} from "./backend.ts";
import { notInitialised, SecretView, type View } from "./view.ts";
import type { CreateOptions } from "./create.ts";
import { openAsIs, openSettled } from "./leftovers.ts";
import type { Import } from "./import/imported.ts";
import { LOCAL } from "./local_backend.ts";
import { Observations } from "./observations.ts";
import type { TurnOptions } from "./recover.ts";
import type { Moved } from "./move.ts";
import { type Note, retrieve, type Retrieved } from "./retrieve.ts";

/** Work under the lock. */
type Work<T> = (installation: Installation, backend: Backend, turn: Turn, note: Note) => Promise<T>;

/** Creates, reads and rotates the JWT secret of one app. */
export class SecretManager {
  readonly #view: SecretView;
  readonly #observations = new Observations();
  #logWarning: string | undefined;

  /** @param loadCluster loads the backend of a shared secret; without it none can be opened. */
  constructor(
    readonly environment: Environment,
    private readonly loadCluster?: () => Promise<Backend>,
  ) {
    this.#view = new SecretView(environment);
    environment.keyring.retry();
  }

  /**
   * The current secret; one that an older application left is adopted. Never creates one.
   *
   * @param purpose for the audit log.
   * @throws {RekeyError} `not_initialised` without a secret, another code with exit status 4 when it cannot be read.
   */
  async get(purpose?: string): Promise<Retrieved> {
    const { installation, version } = await this.openFresh();
    try {
      return await this.valueOf(version, purpose);
    } catch (error) {
      // A rotation may have replaced the value meanwhile.
      if (installation.versions.current()?.version === version.version) throw error;
      return await this.get(purpose);
    }
  }

  /**
   * The current secret; creates the first one.
   *
   * @returns the secret, whether this call made it, and whether it chose the database for one that was there already.
   * @throws {RekeyError} `failed` when the secret is there with another algorithm or key form.
   */
  async getOrCreate(
    options: CreateOptions = {},
  ): Promise<Retrieved & { created: boolean; chosen: boolean }> {
    const created = await openSettled(this.#view, options) === undefined &&
      await this.#create(options);
    const { installation, version, backend } = await this.open();
    const { settlePlace, settleUsage } = await import("./local_changes.ts");
    await settleUsage(installation, backend, version, options);
    const chosen = await settlePlace(installation, version, options.store);
    await backend.remember(installation);
    return { ...await this.get(), created, chosen };
  }

  /**
   * Imports a hard-coded secret as the first version, or in the place of an unused one. Its tokens stay valid.
   *
   * @returns the version that the secret is, whatever its state, and whether this call made it.
   * @throws {RekeyError} `already_initialised` when there is another secret.
   */
  async import(given: Import, options: CreateOptions) {
    const { mayGiveWay, replaceUnused, settleImport } = await import("./import/imported.ts");
    // An existing secret keeps its algorithm and key form.
    const there = await openSettled(this.#view, { store: options.store });
    const made = there === undefined
      ? await this.#create(options, given)
      : mayGiveWay(there, await this.#backendOf(there), given.secret.kid) &&
        await this.underLock((now, backend) => replaceUnused(now, backend, given, options));
    const { installation, version: current, backend } = await this.open();
    if (made) await backend.remember(installation);
    const version = settleImport(installation, current, given, options);
    return { version, made };
  }

  /**
   * Replaces the secret. Without a grace window every session ends with the commit.
   *
   * @throws {RekeyError} `busy` when another rotation does not end in time, `overtaken` when an incident came first while
   * programs followed, a code with exit status 4 when the new secret cannot be stored; the old one is then still current.
   */
  async rotate(options: RotateOptions = {}): Promise<Changed> {
    const [{ valueForRotation }, { isIncident }, { rotateOvertakably }] = await Promise.all([
      import("./rotate.ts"),
      import("./recover.ts"),
      import("./overtaking.ts"),
    ]);
    const { lockTimeoutMs: waitMs, permit, beforeCommit } = options;
    const { makeValue = await valueForRotation(await this.open(), options) } = options;
    const overtakes = isIncident((await this.open()).installation, options);
    const work: Work<Changed> = (installation, backend, turn, note) => {
      const make = (order: RotationOrder) =>
        backend.rotate(installation, { ...order, makeValue }, note);
      return beforeCommit === undefined
        ? make({ ...options, beforeCommit })
        : rotateOvertakably(turn, installation, options, make);
    };
    return await this.underLock(work, { waitMs, overtakes, permit });
  }

  /** Ends every grace window now, also one that a rotation is about to open. @returns versions that no longer verify. */
  revoke(): Promise<Version[]> {
    return this.underLock((installation, { revoke }) => revoke(installation), { overtakes: true });
  }

  /** Moves every version that verifies to another location; later rotations stay there: {@linkcode Backend.move}. */
  move(to: Location): Promise<Moved> {
    return this.underLock(async (installation, backend, _turn, note) => {
      const mover = to === "etcd" ? await this.#backendAt(to) : backend;
      return await mover.move(installation, to, note);
    });
  }

  /** Runs work under the lock, after recovery, and signs the log. @throws {RekeyError} `busy` if it is not free in time. */
  async underLock<T>(work: Work<T>, how: TurnOptions = {}): Promise<T> {
    const { installation } = await this.open();
    // Before the work: what it has done would stand without a signature.
    const [{ beginTurn }, { signLog }] = await Promise.all([
      import("./recover.ts"),
      import("./signed_log.ts"),
    ]);
    using turn = await beginTurn(installation, how);
    const { retrieved } = this.#observations;
    const result = await work(installation, await this.#backendOf(installation), turn, retrieved);
    this.#logWarning = signLog(installation);
    return result;
  }

  /** Follows the changes of other machines. @returns whether there were any. */
  async catchUp(): Promise<boolean> {
    const { installation, backend } = await this.open();
    return await backend.catchUp(installation);
  }

  /** Shares sessions that are to end with other machines: {@linkcode Backend.shareEnded}. */
  async shareEnded(find: FindSessions): Promise<number> {
    const { installation, backend } = await this.open();
    return await backend.shareEnded(installation, find);
  }

  /** The version whose tokens have a kid, in any state. */
  async versionByKid(kid: string): Promise<Version | undefined> {
    return (await this.open()).installation.versions.byTokenKid(kid);
  }

  /**
   * Verifies a token, and counts the verdict for the log.
   *
   * @throws {RekeyError} a code with exit status 3 when the token is not valid.
   */
  async verify(token: string, policy?: VerifyPolicy): Promise<Verified> {
    try {
      const verified = await verifyToken(this, token, policy);
      this.noteVerdict("valid");
      return verified;
    } catch (error) {
      if (isRekeyError(error)) this.noteVerdict(error.code);
      throw error;
    }
  }

  /** Versions whose tokens verify now: the current one, then those inside a grace window. */
  async verifying(): Promise<readonly Version[]> {
    return (await this.look()).versions;
  }

  /** The data for a verification. */
  async look(): Promise<View> {
    await this.openFresh();
    return this.#view.look();
  }

  /** Always `undefined`: each retrieval is audited. */
  keptValue(): undefined {}

  /** The value of a version, for verification unless `purpose` says what else it is for. */
  async valueOf(version: Version, purpose?: string): Promise<Retrieved> {
    const { installation } = await this.open();
    // The reason of a failure replaces the purpose.
    const note = (entry: AuditEntry) => this.#observations.retrieved({ reason: purpose, ...entry });
    return await retrieve(installation, version, note);
  }

  /** Why the last change could not sign the audit log, for a warning; `undefined` if it did. */
  get logWarning(): string | undefined {
    return this.#logWarning;
  }

  /** The database, if a command has opened it. */
  get opened(): Installation | undefined {
    return this.#view.installation;
  }

  /** The database with its fixed settings, for the layers above. */
  async open(): Promise<OpenSecret> {
    const installation = await openSettled(this.#view);
    const version = installation?.versions.current();
    if (installation === undefined || version === undefined) {
      throw notInitialised(this.environment.app.name);
    }
    installation.database.mustBeKnown();
    installation.mustHaveSettings();
    // Chosen each time: another process may have moved the secret.
    return { installation, version, backend: await this.#backendAt(version.location) };
  }

  /** Like {@linkcode open}, after following the changes of other machines. */
  async openFresh(): Promise<OpenSecret> {
    const opened = await this.open();
    // A secret of this machine alone has no one to follow.
    if (!opened.backend.isShared) return opened;
    await opened.backend.ensureFresh(opened.installation);
    return await this.open();
  }

  /** Counts verifications. @param result `valid`, or the error code. */
  noteVerdict(result: string, count = 1): void {
    this.#observations.verified(result, count);
  }

  /** Writes this process's retrievals and verifications to the log. @returns `false` when that is not possible now. */
  async flushNotes(waitMs = 100): Promise<boolean> {
    if (this.#observations.areNone) return true;
    // A malformed token is refused before the database is opened.
    return await this.#observations.flush(() => openAsIs(this.#view), waitMs);
  }

  /**
   * Deletes the secret, its history and its keys. A secret of an older application that was never adopted stays.
   *
   * @returns whether anything existed.
   * @throws {RekeyError} a `keyring_…` code when the keyring cannot be used; then nothing is deleted.
   */
  async destroy(): Promise<boolean> {
    const { destroyIfThere } = await import("./destroy.ts");
    const existed = await destroyIfThere(this.#view);
    if (existed) this.#observations.forget();
    return existed;
  }

  close(): void {
    this.#view.close();
  }

  /** For a long-running program: closes a database that was replaced at its path. */
  refresh(): void {
    this.#view.refresh();
  }

  async #create(options: CreateOptions, given?: Import): Promise<boolean> {
    const backend = await this.#backendAt(options.store === "etcd" ? "etcd" : undefined);
    const { create } = await import("./create.ts");
    const { opened, made } = await create(this.environment, backend, options, given);
    this.#view.use(opened);
    return made;
  }

  #backendOf({ versions }: Installation): Promise<Backend> {
    return this.#backendAt(versions.current()?.location);
  }

  /** The only place that decides whether a secret is local or shared. */
  async #backendAt(location: Location | undefined): Promise<Backend> {
    if (location !== "etcd") return LOCAL;
    if (this.loadCluster !== undefined) return await this.loadCluster();
    throw new Error("This SecretManager has no backend for a shared secret");
  }
}
