import { homedir, hostname } from "node:os";
import { join, resolve } from "node:path";
import { actorText } from "../audit/actor.ts";
import { type App, appNamed, DEFAULT_APP, type Folders } from "../core/app.ts";
import { parseDuration } from "../core/clock.ts";
import { joinPieces } from "../core/encoding.ts";
import { isRekeyError, quoted, RekeyError, usageError } from "../core/errors.ts";
import { AuthManager } from "../auth/manager.ts";
import type { Backend } from "../secret/backend.ts";
import { SecretManager } from "../secret/manager.ts";
import {
  type Environment,
  type MirrorChoice,
  STORE_CHOICES,
  type StoreChoice,
} from "../store/environment.ts";
import { Installation } from "../store/installation.ts";
import type { KekSources } from "../store/sealed/kek_sources.ts";
import type { AddonContext, KeyringAddon } from "../store/keyring/addon.ts";
import { KeyringStore } from "../store/keyring/keyring_store.ts";
import type { SessionPlaces } from "../store/keyring/secret_service/saving.ts";
import { keyringPlatform, timeoutOf } from "../store/keyring/platform.ts";
import type { EtcdClient } from "../etcd/client.ts";
import { etcdSettingsNamed, withoutProxyHere } from "./environment.ts";
import type { Output } from "./output.ts";
import type { Confirm } from "./terminal.ts";
import { faultOfPath, foldersFor, pathOf } from "../system/paths.ts";
import { sinkName } from "../stream/names.ts";
import { SYSTEM } from "../system/system.ts";

/** Flags that every command takes. */
export interface GlobalOptions {
  readonly app?: string;
  readonly dataDir?: string;
  readonly store?: StoreChoice;
  readonly kekFile?: string;
  readonly mirror?: MirrorChoice;
  readonly auditTo?: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly color: boolean;
}

/** What a command works with: managers and output. */
export interface Context {
  readonly secrets: SecretManager;
  readonly auth: AuthManager;
  readonly output: Output;
  readonly confirm: Confirm;
  /** The global flags as given. */
  readonly globals: GlobalOptions;
  /** Version of the program. */
  readonly version: string;
  /** `--store` or REKEY_STORE, if set. */
  readonly store: StoreChoice | undefined;
}

/** Builds the managers from flags, `REKEY_*` variables and defaults, in this order of precedence. */
export function makeContext(
  options: GlobalOptions,
  output: Output,
  confirm: Confirm,
  version: string,
): Context {
  const secrets = new SecretManager(environmentFrom(options, output), loadCluster);
  return {
    secrets,
    auth: new AuthManager(secrets),
    output,
    confirm,
    globals: options,
    version,
    store: storeChoice(options),
  };
}

/** Loads the backend of a shared secret, which most machines do not have. */
export async function loadCluster(): Promise<Backend> {
  return (await import("../cluster/backend.ts")).CLUSTER;
}

/**
 * The environment of the managers.
 *
 * @param output says what takes long; a request thread, which begins after that, has none.
 * @param loadAddon loads the keyring addon another way, as `serve` does.
 */
export function environmentFrom(
  options: GlobalOptions,
  output?: Output,
  loadAddon?: () => KeyringAddon,
): Environment {
  const app = appNamed(options.app ?? variable("REKEY_APP") ?? DEFAULT_APP);
  const folders = foldersOf(app, options);
  let user: string | undefined;
  let etcd: Promise<EtcdClient | undefined> | undefined;
  return {
    app,
    folders,
    kek: kekSources(options),
    keyring: keyringOf(app, folders, loadAddon),
    // Read on demand: commands that do not use etcd ignore invalid settings.
    async etcd() {
      try {
        return await (etcd ??= etcdFrom(variable, output));
      } catch (error) {
        etcd = undefined;
        throw error;
      }
    },
    etcdNamed: etcdSettingsNamed(variable),
    recallEtcd: (settings) => etcdFrom((name) => variable(name) ?? settings[name], output),
    auditTo: sinks(options),
    mirror: oneOf("REKEY_MIRROR", options.mirror, ["auto", "on", "off"]) ?? "auto",
    // Only commands that write need it.
    get actor() {
      return user ??= callersName();
    },
    clock: Date.now,
    async onExposedKey(path, shown) {
      if (output === undefined) return;
      (await import("./exposed_inputs.ts")).warnOfExposedKey(path, shown, output);
    },
    onLongMigration: (megabytes) => output?.remark(migrating(megabytes)),
  };
}

function migrating(megabytes: number): string {
  return `Migrating the database (${megabytes} MB) for this rekey: other commands and servers wait for it`;
}

async function etcdFrom(variable: (name: string) => string | undefined, output?: Output) {
  const endpoints = variable("REKEY_ETCD_ENDPOINTS");
  if (endpoints === undefined) return undefined;
  const { clientOf } = await import("./etcd_settings.ts");
  return clientOf(endpoints, variable, withoutProxyHere, output);
}

function foldersOf(app: App, { dataDir = pathVariable("REKEY_DATA_DIR") }: GlobalOptions): Folders {
  const around = { home: homeFolder(), env: variable };
  return foldersFor(app, around, dataDir === undefined ? undefined : resolve(dataDir), SYSTEM);
}

function keyringOf(app: App, folders: Folders, loadAddon?: () => KeyringAddon): KeyringStore {
  // A wrong XDG_RUNTIME_DIR would hide the keyring, and a new secret would be made in the database.
  if (variable("DBUS_SESSION_BUS_ADDRESS") === undefined) pathVariable("XDG_RUNTIME_DIR");
  const platform = keyringPlatform(SYSTEM.os, () => sessionPlaces(folders));
  const load = loadAddon ?? (() => loadUsualAddon(folders));
  // With its own loader, the caller must not bypass the addon.
  const isUsual = loadAddon === undefined;
  return new KeyringStore(
    app,
    () => platform.load(load),
    timeoutOf(platform, keyringTimeout(), isUsual && Deno.stderr.isTerminal()),
    isUsual ? platform : { ...platform, readQuickly: undefined, look: undefined },
  );
}

// Only a write needs it, or a read that the quicker way cannot make.
async function loadUsualAddon(folders: Folders): Promise<KeyringAddon> {
  const { loadKeyringAddon } = await import("../store/keyring/addon.ts");
  return loadKeyringAddon(addonContext(folders));
}

function callersName(): string {
  const account = SYSTEM.processes.account();
  return actorText({ account, host: hostname(), ...SYSTEM.caller(variable) });
}

/**
 * What `look` finds in the app's database, which is opened without a change; `undefined` when there is none or it cannot be
 * read: a command reports that itself.
 */
export function lookAt<T>(
  environment: Environment,
  look: (installation: Installation) => T,
): T | undefined {
  try {
    const installation = Installation.openAsFound(environment);
    // Not `using`: closing a damaged database throws again, and a SuppressedError is not a RekeyError.
    try {
      return installation && look(installation);
    } finally {
      installation?.close();
    }
  } catch (error) {
    if (isRekeyError(error)) return undefined;
    throw error;
  }
}

/** Whether etcd is configured, by variables or by remembered settings. */
export async function usesEtcd(environment: Environment): Promise<boolean> {
  return await environment.etcd?.() !== undefined ||
    lookAt(environment, ({ remembered }) => remembered.etcdSettings()) !== undefined;
}

/** What the keyring addon needs to know. */
export function addonContext({ cache }: Folders): AddonContext {
  const address = variable("DBUS_SESSION_BUS_ADDRESS");
  return { cacheFolder: cache, bus: { address, runtimeFolder: variable("XDG_RUNTIME_DIR") } };
}

// The session bus and the keyring files on Linux.
function sessionPlaces(folders: Folders): SessionPlaces {
  const home = homeFolder();
  const dataHome = variable("XDG_DATA_HOME") ?? (home && join(home, ".local/share"));
  return { ...addonContext(folders).bus, dataHome };
}

/** An environment variable; an empty one counts as not set. */
export function variable(name: string): string | undefined {
  try {
    return Deno.env.get(name) || undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.InvalidData)) throw error;
    throw usageError(
      `Cannot use the variable ${name}: it is not valid UTF-8`,
      "Set it to UTF-8 text",
    );
  }
}

/** An environment variable with a path. @throws {RekeyError} `usage` when the path is not absolute. */
function pathVariable(name: string): string | undefined {
  const value = variable(name);
  return value === undefined ? undefined : pathOf(name, value, SYSTEM.paths);
}

// A relative HOME would depend on the working directory, which others may be able to write to.
function homeFolder(): string | undefined {
  const home = homedir();
  return home && SYSTEM.paths.isWhole(home) && faultOfPath(home, SYSTEM.paths) === undefined
    ? home
    : undefined;
}

function storeChoice(options: GlobalOptions): StoreChoice | undefined {
  return oneOf("REKEY_STORE", options.store, STORE_CHOICES);
}

function oneOf<T extends string>(name: string, flag: T | undefined, allowed: readonly T[]) {
  const value = flag ?? variable(name);
  if (value === undefined || allowed.includes(value as T)) return value as T | undefined;
  throw usageError(`Cannot use ${quoted(value)} as ${name}`, `Use one of ${allowed.join(", ")}`);
}

function sinks({ auditTo }: GlobalOptions): string[] | undefined {
  if (auditTo !== undefined) return auditTo.map((text) => sinkName(text, "--audit-to"));
  return variable("REKEY_AUDIT_TO")?.split(",").map((text) =>
    sinkName(text.trim(), "REKEY_AUDIT_TO")
  );
}

function keyringTimeout(): number | undefined {
  const text = variable("REKEY_KEYRING_TIMEOUT");
  return text === undefined ? undefined : parseDuration(text) * 1000;
}

function kekSources(options: GlobalOptions): KekSources {
  return {
    file: options.kekFile ?? pathVariable("REKEY_KEK_FILE"),
    command: variable("REKEY_KEK_COMMAND"),
    credentials: pathVariable("CREDENTIALS_DIRECTORY"),
    passphraseFile: pathVariable("REKEY_PASSPHRASE_FILE"),
    passphraseCommand: variable("REKEY_PASSPHRASE_COMMAND"),
    run: runInShell,
  };
}

// Time enough for a command that asks a server.
const COMMAND_TIMEOUT_MS = 10_000;

async function runInShell(commandLine: string): Promise<Uint8Array> {
  const { runLine } = await import("../system/command_line.ts");
  const printed: Uint8Array[] = [];
  const failure = await runLine(SYSTEM.processes.shell(commandLine), {
    limitMs: COMMAND_TIMEOUT_MS,
    take: (piece) => printed.push(piece),
  });
  if (failure === undefined) return joinPieces(printed);
  throw new RekeyError("kek_missing", `Cannot get the KEK: its command ${failure}`, {
    hint: "Run the command of REKEY_KEK_COMMAND or REKEY_PASSPHRASE_COMMAND by hand",
  });
}
