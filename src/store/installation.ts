import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { AuditWriter } from "../audit/chain.ts";
import type { App, Folders } from "../core/app.ts";
import { isRekeyError } from "../core/errors.ts";
import { KEY_FORMS, type KeyForm } from "../core/secret.ts";
import { type Algorithm, ALGORITHMS } from "../core/algorithms.ts";
import type { TokenPolicy } from "../jwt/policy.ts";
import { type Environment, STORE_CHOICES, type StoreChoice } from "./environment.ts";
import { Database } from "./sqlite/database.ts";
import type { OpenOptions } from "./sqlite/database_options.ts";
import { lockPath } from "./sqlite/lock.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { unconfigured } from "../etcd/unconfigured.ts";
import { DatabaseStore, EtcdStore } from "./sealed/sealed_stores.ts";
import { generatedKeyFile, type Kek, newKek, readKekRecord } from "./sealed/kek.ts";
import { KnownKek } from "./sealed/known_kek.ts";
import { AuditKey } from "./sealed/audit_key.ts";
import { type KekSources, kekSupplied } from "./sealed/kek_sources.ts";
import { isWritableByOthers, Remembered } from "./remembered_sources.ts";
import type { KeyringStore } from "./keyring/keyring_store.ts";
import type { ProviderKind } from "./keyring/secret_service/provider.ts";
import { damagedMeta, Meta, type MetaKey, readPolicy } from "./sqlite/meta.ts";
import { makeNamedFolder, makePrivateFolder } from "../files/private_files.ts";
import { Versions } from "./sqlite/versions.ts";
import { nameSinks } from "./named_sinks.ts";
import { isThere } from "../files/files.ts";

/** One app's open database with its keys and stores. */
export class Installation {
  readonly versions: Versions;
  readonly meta: Meta;
  readonly sealed: DatabaseStore;
  readonly auditKey: AuditKey;
  readonly keyring: KeyringStore;
  readonly remembered: Remembered;
  #lender: Installation | undefined;
  #recalled: Promise<EtcdClient | undefined> | undefined;
  readonly #kek: KnownKek;

  private constructor(
    readonly environment: Environment,
    readonly database: Database,
    private readonly asFound = false,
  ) {
    this.versions = new Versions(database);
    this.meta = new Meta(database);
    const sources = () => this.kekSources();
    this.#kek = new KnownKek(environment, this.meta, { sources, asFound });
    this.sealed = new DatabaseStore(database, environment.app.name, () => this.kek());
    this.auditKey = new AuditKey(environment.app.name, this.meta, () => this.kek());
    this.keyring = environment.keyring;
    this.remembered = new Remembered(this.meta, database.path);
  }

  /** Tells the keyring which provider holds the values. A restored database may come from a machine with another one. */
  expectUsualKeyring(): void {
    const isThere = this.versions.current()?.location === "keyring";
    const isRestored = this.meta.get("restored") !== undefined;
    const kind = isThere && !isRestored ? this.meta.get("keyring_kind") : undefined;
    this.keyring.expect(kind as ProviderKind | undefined);
  }

  /** Opens the app's database, and creates it if it does not exist. */
  static open(environment: Environment, options: OpenOptions = {}): Installation {
    Installation.prepareFolder(environment);
    const { waitMs, onLongMigration } = environment;
    const path = Installation.path(environment);
    // Checked first: opening takes write permission away from others.
    const isSuspect = isWritableByOthers(path);
    const wait = waitMs === undefined ? {} : { waitMs };
    const database = Database.open(path, { ...wait, onLongMigration, ...options });
    const installation = new Installation(environment, database);
    try {
      if (isSuspect) database.transaction(() => installation.remembered.distrust());
      installation.expectUsualKeyring();
      nameSinks(database, environment.auditTo);
      return installation;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Like {@linkcode Installation.open}, but returns `undefined` when there is no database. */
  static openExisting(environment: Environment, options?: OpenOptions): Installation | undefined {
    return isThere(Installation.path(environment))
      ? Installation.open(environment, options)
      : undefined;
  }

  /** Like {@linkcode Installation.openExisting}, but read-only: repairs and completes nothing. */
  static openAsFound(environment: Environment): Installation | undefined {
    const path = Installation.path(environment);
    if (!isThere(path)) return undefined;
    const { onLongMigration } = environment;
    return new Installation(environment, Database.openAsFound(path, { onLongMigration }), true);
  }

  /** Creates or checks the data folder. Returns the path of the lock in it. */
  static prepareFolder(environment: Environment): string {
    const { data, dataNamed } = environment.folders;
    if (dataNamed) makeNamedFolder(data);
    else makePrivateFolder(data);
    return lockPath(Installation.path(environment));
  }

  /** Path of the app's database. */
  static path({ app, folders }: Environment): string {
    return join(folders.data, `${app.name}.db`);
  }

  /** Path of the app's database when no data folder is named. */
  static defaultPath(app: App, { defaultData }: Folders): string | undefined {
    return defaultData && join(defaultData, `${app.name}.db`);
  }

  /** Path of the lock that rotations and recoveries take. */
  get lockPath(): string {
    return lockPath(this.database.path);
  }

  /** The algorithm of the current version, and the default for the next one. */
  get algorithm(): Algorithm {
    return this.#setting("alg", ALGORITHMS);
  }

  /** The key form of the current version, and the default for the next one. */
  get keyForm(): KeyForm {
    return this.#setting("key_form", KEY_FORMS);
  }

  /** Reads the settings that a new version needs. @throws {RekeyError} `database_damaged`. */
  mustHaveSettings(): void {
    void [this.algorithm, this.keyForm];
  }

  /** What every token must satisfy, beyond its signature. */
  get policy(): TokenPolicy {
    return readPolicy(this.meta);
  }

  /** The choice made at `init`. */
  get store(): StoreChoice {
    return this.#setting("store", STORE_CHOICES);
  }

  /** A random id that this database shares with its copies only; not secret. */
  id(): string {
    const known = this.meta.get("id");
    if (known !== undefined) return known;
    const id = randomBytes(12).toString("base64url");
    this.database.transaction(() => this.meta.set("id", id));
    return id;
  }

  /** The store that machines share. @throws {RekeyError} `etcd_unconfigured` when no etcd is named. */
  async shared(): Promise<EtcdStore> {
    const etcd = await this.etcd();
    if (etcd !== undefined) return new EtcdStore(etcd, this.environment.app.name, () => this.kek());
    throw unconfigured();
  }

  /** The etcd that this command names, else the remembered one, else `undefined`. */
  async etcd(): Promise<EtcdClient | undefined> {
    const { environment } = this;
    const named = await environment.etcd?.();
    if (named !== undefined) return named;
    if (this.#lender !== undefined) return await this.#lender.etcd();
    const settings = this.remembered.etcdSettings();
    if (settings === undefined) return undefined;
    return await (this.#recalled ??= this.#recall(settings));
  }

  async #recall(settings: Readonly<Record<string, string>>): Promise<EtcdClient | undefined> {
    try {
      return await this.environment.recallEtcd?.(settings);
    } catch (error) {
      this.#recalled = undefined;
      throw error;
    }
  }

  /**
   * The KEK sources that this command names, else the remembered one.
   *
   * @throws {RekeyError} `kek_missing` when the remembered one cannot be used here.
   */
  kekSources(): KekSources {
    const { kek } = this.environment;
    if (kekSupplied(kek)) return kek;
    return (this.#lender ?? this).remembered.kekSources(kek);
  }

  /** For a copy: uses the sources that the original database remembers. */
  borrow(lender: Installation): void {
    this.#lender = lender;
  }

  /** Remembers the sources that this command names, once they work. @throws {RekeyError} `kek_…` when the KEK is wrong. */
  async remember(isShared: boolean): Promise<void> {
    const { kek: sources, etcdNamed } = this.environment;
    const kek = kekSupplied(sources) ? await this.kek() : undefined;
    const row = kek?.isInline ? undefined : this.remembered.kekRow(sources);
    const isKnown = row === undefined || row === this.meta.get("kek_source");
    if (isKnown && !(isShared && etcdNamed !== undefined)) return;
    this.database.transaction(() => {
      if (row !== undefined) this.remembered.setKek(row);
      if (isShared && etcdNamed !== undefined) this.remembered.setEtcd(etcdNamed);
    });
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.environment.clock();
  }

  /** The KEK of this database. @throws {RekeyError} `kek_missing`, `kek_invalid` or `kek_wrong`. */
  async kek(): Promise<Kek> {
    return await this.#kek.now();
  }

  /** Whether versions in the keyring get a sealed copy in the database. */
  mirrors(): boolean {
    const { mirror } = this.environment;
    return mirror === "auto" ? this.isKekSupplied() : mirror === "on";
  }

  /** Whether the operator supplies the KEK, in this command or a remembered one. */
  isKekSupplied(): boolean {
    return kekSupplied(this.environment.kek) || (this.#lender ?? this).remembered.hasKek;
  }

  /** A writer of audit rows. Needs the KEK, since the chain's key is sealed under it. */
  async audit(): Promise<AuditWriter> {
    const { actor, clock } = this.environment;
    return new AuditWriter(this.database, await this.auditKey.read(), actor, clock);
  }

  /**
   * Loads the audit key ahead of its use; an error shows when rows are written. Does nothing when the KEK comes from a
   * command or a passphrase, which takes too long to help.
   */
  prepareAudit(): void {
    if (this.asFound || this.isKekSupplied()) return;
    this.audit().catch((error) => {
      if (!isRekeyError(error)) throw error;
    });
  }

  /** Replaces the KEK, after everything was sealed under the new one. */
  useKek(kek: Kek): void {
    this.#kek.use(kek);
  }

  /** Gives a new database its KEK, audit key and settings. Call it under the lock. */
  async prepare(settings: { alg: Algorithm; keyForm: KeyForm; store: StoreChoice }): Promise<void> {
    if (this.meta.get("audit_key") !== undefined) return;
    const { app, folders, kek: sources } = this.environment;
    const { kek, record } = await newKek(sources, folders.config, app.name);
    const auditKey = await this.auditKey.seal(randomBytes(32), kek);
    this.database.transaction(() => {
      this.meta.set("app", app.name);
      this.meta.set("alg", settings.alg);
      this.meta.set("key_form", settings.keyForm);
      this.meta.set("store", settings.store);
      this.meta.set("kek", JSON.stringify(record));
      this.meta.set("audit_key", auditKey);
      this.remembered.setKek(kek.isInline ? undefined : this.remembered.kekRow(sources));
    });
    this.#kek.use(kek);
    this.id();
  }

  /** Path of the key file that rekey generated for the KEK, or for the previous one until that file is deleted. */
  generatedKeyFile(key: "kek" | "stale_kek" = "kek"): string | undefined {
    if (this.meta.get(key) === undefined) return undefined;
    const { app, folders } = this.environment;
    return generatedKeyFile(folders.config, app.name, readKekRecord(this.meta, key));
  }

  close(): void {
    this.database.close();
  }

  #setting<T extends string>(key: MetaKey, allowed: readonly T[]): T {
    const value = this.meta.get(key) as T | undefined;
    if (value !== undefined && allowed.includes(value)) return value;
    throw damagedMeta(key);
  }
}
