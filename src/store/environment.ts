import { resolve } from "node:path";
import type { App, Folders } from "../core/app.ts";
import type { Clock } from "../core/clock.ts";
import type { EtcdClient } from "../etcd/client.ts";
import type { OpenOptions } from "./sqlite/database_options.ts";
import type { KeyringStore } from "./keyring/keyring_store.ts";
import type { KekSources } from "./sealed/kek_sources.ts";

/** Which location the operator wants for a new version. */
export const STORE_CHOICES = ["auto", "keyring", "database", "etcd"] as const;
export type StoreChoice = (typeof STORE_CHOICES)[number];

/** Whether a version in the keyring is sealed in the database too. */
export type MirrorChoice = "auto" | "on" | "off";

/** What flags, variables and the system say: the input of an installation. */
export interface Environment {
  readonly app: App;
  readonly folders: Folders;
  readonly kek: KekSources;
  readonly keyring: KeyringStore;
  readonly mirror: MirrorChoice;
  /** etcd, where machines share a secret; `undefined` when none is named. Throws `usage` for invalid settings. */
  etcd?(): Promise<EtcdClient | undefined>;
  /** The variables that name etcd, to be remembered. */
  readonly etcdNamed?: Readonly<Record<string, string>> | undefined;
  /** Makes a client from remembered variables. */
  recallEtcd?(settings: Readonly<Record<string, string>>): Promise<EtcdClient | undefined>;
  /** How current the copy of the shared state is; only a long-running program has it. */
  readonly freshness?: Freshness | undefined;
  /** Who acts, for the audit log. */
  readonly actor: string;
  readonly clock: Clock;
  /** Sinks that rows of the audit log are sent to: see `stream/names.ts`. */
  readonly auditTo?: readonly string[] | undefined;
  /** How long to wait for another process's write, in milliseconds; default: the database's own. */
  readonly waitMs?: number;
  /** Tells the operator that others could read the key file, whose mode was changed. @param shown the mode until then. */
  onExposedKey?(path: string, shown: string): Promise<void>;
  /** Tells the operator of a migration that may take seconds: see {@linkcode OpenOptions}. */
  readonly onLongMigration?: OpenOptions["onLongMigration"];
}

/**
 * Variables for a command of the operator's, by which a rekey that it calls in any folder finds this installation.
 */
export function installationVariables({ app, folders, kek }: Environment): Record<string, string> {
  return {
    REKEY_APP: app.name,
    ...folders.dataNamed ? { REKEY_DATA_DIR: folders.data } : {},
    ...kek.file === undefined ? {} : { REKEY_KEK_FILE: resolve(kek.file) },
  };
}

/** How current this machine's copy of the shared state is. */
export interface Freshness {
  /**
   * @param change number of the change that the database has applied.
   * @throws {RekeyError} `fleet_stale` when etcd has not confirmed it for too long, or has confirmed a later change:
   * then the database is an older copy.
   */
  mustBeFresh(change: number): void;
  /** Milliseconds since the last confirmation; infinite when there was none. */
  age(): number;
}
