import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { AuditWriter } from "../audit/chain.ts";
import type { App, Folders } from "../core/app.ts";
import type { Clock } from "../core/clock.ts";
import { isRekeyError, RekeyError } from "../core/errors.ts";
import { KEY_FORMS, type KeyForm } from "../core/secret.ts";
import { Database, type OpenOptions } from "./sqlite/database.ts";
import { lockPath } from "./sqlite/lock.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { unconfigured } from "../etcd/errors.ts";
import { DatabaseStore, EtcdStore } from "./sealed/sealed_stores.ts";
import { findKek, generatedKeyFile, type Kek, type KekRecord, newKek } from "./sealed/kek.ts";
import { type KekSources, kekSupplied } from "./sealed/kek_sources.ts";
import { isWritableByOthers, Remembered } from "./remembered_sources.ts";
import type { KeyringStore } from "./keyring/keyring_store.ts";
import type { ProviderKind } from "./keyring/secret_service/provider.ts";
import { Meta, type MetaKey } from "./sqlite/meta.ts";
import { isThere } from "../files/file_errors.ts";
import { makeNamedFolder, makePrivateFolder, takeFromOthers } from "../files/private_files.ts";
import { seal, unseal } from "./sealed/sealing.ts";
import { readPolicy, type TokenPolicy } from "./token_policy.ts";
import { Versions } from "./sqlite/versions.ts";

/** HMAC algorithms of RFC 7518 §3.2. */
export const ALGORITHMS = ["HS256", "HS384", "HS512"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** Which location the operator wants for a new version. */
export const STORE_CHOICES = ["auto", "keyring", "database", "etcd"] as const;
export type StoreChoice = (typeof STORE_CHOICES)[number];

/** Whether a version in the keyring is sealed in the database too. */
export type MirrorChoice = "auto" | "on" | "off";

/** Everything that a manager needs to know of its surroundings. */
export interface Environment {
  readonly app: App;
  readonly folders: Folders;
  readonly kek: KekSources;
  readonly keyring: KeyringStore;
  readonly mirror: MirrorChoice;
  /** etcd, where machines share a secret; `undefined` when none is named. */
  readonly etcd?: EtcdClient | undefined;
  /** How it is named, to be remembered: by the names of variables. */
  readonly etcdNamed?: Readonly<Record<string, string>> | undefined;
  /** A client of the etcd that was remembered so. */
  recallEtcd?(settings: Readonly<Record<string, string>>): EtcdClient | undefined;
  /** Tells how well this machine knows what others do, in a program that goes on for long. */
  readonly freshness?: Freshness | undefined;
  /** Who acts, for the audit log. */
  readonly actor: string;
  readonly clock: Clock;
  /** How long to wait for another process's writing, in milliseconds; default: the database's own. */
  readonly waitMs?: number;
}

/** How well a machine knows what the machines that share its secret do. */
export interface Freshness {
  /**
   * @param change of the shared state that the database goes by.
   * @throws {RekeyError} `fleet_stale` when it has not been confirmed for too long, or was for a later change: then the
   * database is an older copy.
   */
  mustBeFresh(change: number): void;
  /** How long ago it was confirmed, in milliseconds; infinite when it never was. */
  age(): number;
}

/** One app's database with its keys and stores: what the layers above work on. */
export class Installation {
  readonly versions: Versions;
  readonly meta: Meta;
  readonly sealed: DatabaseStore;
  readonly keyring: KeyringStore;
  readonly remembered: Remembered;
  #lender: Installation | undefined;
  #recalled: { client: EtcdClient | undefined } | undefined;
  #kek: Kek | undefined;
  #auditKey: { sealed: string; key: Uint8Array } | undefined;

  private constructor(
    readonly environment: Environment,
    readonly database: Database,
    private readonly asFound = false,
  ) {
    this.versions = new Versions(database);
    this.meta = new Meta(database);
    this.sealed = new DatabaseStore(database, environment.app.name, () => this.kek());
    this.keyring = environment.keyring;
    this.remembered = new Remembered(this.meta, database.path);
  }

  /**
   * Tells the keyring which program has the values: another one has none of them. A restored database may come from
   * another machine, with another program.
   */
  expectUsualKeyring(): void {
    const isThere = this.versions.current()?.location === "keyring";
    const isRestored = this.meta.get("restored") !== undefined;
    const kind = isThere && !isRestored ? this.meta.get("keyring_kind") : undefined;
    this.keyring.expect(kind as ProviderKind | undefined);
  }

  /** Opens the app's database, and makes it when it is not there. */
  static open(environment: Environment, options: OpenOptions = {}): Installation {
    Installation.prepareFolder(environment);
    const { waitMs } = environment;
    // Asked before it is made this user's own.
    const isSuspect = isWritableByOthers(Installation.path(environment));
    const database = Database.open(Installation.path(environment), {
      ...waitMs === undefined ? {} : { waitMs },
      ...options,
    });
    const installation = new Installation(environment, database);
    try {
      if (isSuspect) database.transaction(() => installation.remembered.distrust());
      installation.expectUsualKeyring();
      return installation;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Like {@linkcode Installation.open}, but `undefined` when there is no database. */
  static openExisting(environment: Environment, options?: OpenOptions): Installation | undefined {
    return isThere(Installation.path(environment))
      ? Installation.open(environment, options)
      : undefined;
  }

  /** Like {@linkcode Installation.openExisting}, but nothing is made, mended or finished: for looking at it. */
  static openAsFound(environment: Environment): Installation | undefined {
    const path = Installation.path(environment);
    if (!isThere(path)) return undefined;
    return new Installation(environment, Database.openAsFound(path), true);
  }

  /** Makes the data folder, or checks it, and answers the path of the lock in it. */
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

  /** The algorithm of the current version, and of the one that follows unless it is said otherwise. */
  get algorithm(): Algorithm {
    return this.#setting("alg", ALGORITHMS);
  }

  /** The key form of the current version, and of the one that follows unless it is said otherwise. */
  get keyForm(): KeyForm {
    return this.#setting("key_form", KEY_FORMS);
  }

  /** @throws {RekeyError} `database_damaged` when a setting that a new version is made with cannot be read. */
  mustHaveSettings(): void {
    // Reading them is the check.
    void [this.algorithm, this.keyForm];
  }

  /** What every token must be, beyond its signature. */
  get policy(): TokenPolicy {
    return readPolicy(this.meta);
  }

  /** The choice made at `init`. */
  get store(): StoreChoice {
    return this.#setting("store", STORE_CHOICES);
  }

  /** What tells copies of this database from other databases; no secret. */
  id(): string {
    const known = this.meta.get("id");
    if (known !== undefined) return known;
    const id = randomBytes(12).toString("base64url");
    this.database.transaction(() => this.meta.set("id", id));
    return id;
  }

  /**
   * The location that machines share.
   *
   * @throws {RekeyError} `etcd_unconfigured` when none is named.
   */
  shared(): EtcdStore {
    const { etcd, environment: { app } } = this;
    if (etcd !== undefined) return new EtcdStore(etcd, app.name, () => this.kek());
    throw unconfigured();
  }

  /** The etcd that is named now, else the one that is remembered; `undefined` when there is neither. */
  get etcd(): EtcdClient | undefined {
    const { environment } = this;
    if (environment.etcd !== undefined) return environment.etcd;
    if (this.#lender !== undefined) return this.#lender.etcd;
    const settings = this.remembered.etcdSettings();
    if (settings === undefined) return undefined;
    return (this.#recalled ??= { client: environment.recallEtcd?.(settings) }).client;
  }

  /**
   * Where the KEK is: as it is named now, else as it is remembered.
   *
   * @throws {RekeyError} `kek_missing` when what is remembered cannot be used here.
   */
  kekSources(): KekSources {
    const { kek } = this.environment;
    if (kekSupplied(kek)) return kek;
    return (this.#lender ?? this).remembered.kekSources(kek);
  }

  /** Goes by what another database remembers, which is this machine's own: for a copy of that one. */
  borrow(lender: Installation): void {
    this.#lender = lender;
  }

  /** Keeps what is named now, once it has proved right. @throws {RekeyError} `kek_…` when the KEK is not the right one. */
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

  /**
   * The KEK that this database is sealed under.
   *
   * @throws {RekeyError} `kek_missing`, `kek_invalid` or `kek_wrong`.
   */
  async kek(): Promise<Kek> {
    // Another process may have exchanged it since it was last asked for.
    const record = this.kekRecord();
    if (this.#kek?.id === record.id) return this.#kek;
    const keyFile = this.generatedKeyFile();
    if (keyFile !== undefined && !this.asFound) takeFromOthers(keyFile);
    return this.#kek = await findKek(this.kekSources(), keyFile, record);
  }

  /** Whether versions in the keyring get a sealed copy in the database (design §6, "Mirror"). */
  mirrors(): boolean {
    const { mirror } = this.environment;
    return mirror === "auto" ? this.isKekSupplied() : mirror === "on";
  }

  /** Whether the operator supplies the KEK, now or as it is remembered. */
  isKekSupplied(): boolean {
    return kekSupplied(this.environment.kek) || (this.#lender ?? this).remembered.hasKek;
  }

  /** Writes audit rows; they need the KEK, under which the chain's key is sealed. */
  async audit(): Promise<AuditWriter> {
    const { actor, clock } = this.environment;
    return new AuditWriter(this.database, await this.auditKey(), actor, clock);
  }

  /**
   * Gets what writing audit rows takes, while there is time; what goes wrong is found out when they are written. Not
   * when it takes a command or a passphrase: that could not be made use of before it has ended.
   */
  prepareAudit(): void {
    if (this.asFound || this.isKekSupplied()) return;
    this.audit().catch((error) => {
      if (!isRekeyError(error)) throw error;
    });
  }

  /** The key of the audit log's hashes. */
  async auditKey(): Promise<Uint8Array> {
    const sealed = this.meta.get("audit_key");
    if (sealed === undefined) throw damagedMeta("audit_key");
    if (this.#auditKey?.sealed === sealed) return this.#auditKey.key;
    const text = unseal(await this.kek(), this.#auditBinding(), sealed);
    this.#auditKey = { sealed, key: Uint8Array.fromBase64(text) };
    return this.#auditKey.key;
  }

  /** The audit key, sealed under a KEK. */
  sealAuditKey(key: Uint8Array, kek: Kek): Promise<string> {
    return seal(kek, this.#auditBinding(), Buffer.from(key).toString("base64"));
  }

  /** Goes on with another KEK, after everything was sealed under it. */
  useKek(kek: Kek): void {
    this.#kek = kek;
  }

  /** Gives a new database its KEK, its audit key and its fixed settings. Call it under the lock. */
  async prepare(settings: { alg: Algorithm; keyForm: KeyForm; store: StoreChoice }): Promise<void> {
    if (this.meta.get("audit_key") !== undefined) return;
    const { app, folders, kek: sources } = this.environment;
    const { kek, record } = await newKek(sources, folders.config, app.name);
    const auditKey = await this.sealAuditKey(randomBytes(32), kek);
    this.database.transaction(() => {
      this.meta.set("app", app.name);
      this.meta.set("alg", settings.alg);
      this.meta.set("key_form", settings.keyForm);
      this.meta.set("store", settings.store);
      this.meta.set("kek", JSON.stringify(record));
      this.meta.set("audit_key", auditKey);
      this.remembered.setKek(kek.isInline ? undefined : this.remembered.kekRow(sources));
    });
    this.#kek = kek;
    this.id();
  }

  /** Path of the key file that rekey made for this database, if it made one. */
  generatedKeyFile(): string | undefined {
    if (this.meta.get("kek") === undefined) return undefined;
    const { app, folders } = this.environment;
    return generatedKeyFile(folders.config, app.name, this.kekRecord());
  }

  /** What the database keeps of its KEK, or of the one before it whose file is still to be deleted. */
  kekRecord(key: "kek" | "stale_kek" = "kek"): KekRecord {
    const record = this.meta.get(key);
    try {
      const parsed = JSON.parse(record ?? "");
      if (typeof parsed.id === "string") return parsed;
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
    }
    throw damagedMeta(key);
  }

  close(): void {
    this.database.close();
  }

  #setting<T extends string>(key: MetaKey, allowed: readonly T[]): T {
    const value = this.meta.get(key) as T | undefined;
    if (value !== undefined && allowed.includes(value)) return value;
    throw damagedMeta(key);
  }

  #auditBinding() {
    return { app: this.environment.app.name, use: "audit" } as const;
  }
}

/** A fact about the installation that is not there, or is not what rekey writes. */
export function damagedMeta(key: MetaKey): RekeyError {
  return new RekeyError(
    "database_damaged",
    `Cannot use the database: its ${key} row is missing or damaged`,
    {
      hint: "Restore the database from a backup",
    },
  );
}

/** Leaves nothing of a destroyed or once plain value in unused pages and the write-ahead log. */
export function scrub({ database, meta }: Installation, waitMs?: number): void {
  const pending = meta.get("scrub_pending");
  if (pending === undefined) return;
  if (pending === "file") database.wipeFreePages();
  if (!database.truncateLog(waitMs)) return;
  database.transaction(() => meta.remove("scrub_pending"));
}
