import { type BigIntStats, statSync } from "node:fs";
import { join } from "node:path";
import { type BusConnection, overBus } from "./dbus_connection.ts";
import { BusError } from "./dbus_wire.ts";
import { findProvider } from "./find_provider.ts";
import { type Provider, walletPath } from "./provider.ts";
import {
  collectionProperty,
  foundItems,
  READ_DEFAULT,
  searchItems,
  strings,
} from "./service_calls.ts";
import { type BusPlaces, ownBus } from "./session_bus.ts";

/** Whether the values that a provider of the Secret Service took outlive its process. */
export interface Saving {
  /** The provider that takes writes now; `undefined` when unknown. */
  provider(): Promise<Provider | undefined>;
  /** Whether {@linkcode Saving.save} can have an effect. */
  savesOnDemand(provider: Provider): boolean;
  /**
   * Has a provider save the values that it took.
   *
   * @param service name that the items were written under.
   * @returns whether they are known to be saved.
   */
  save(provider: Provider, service: string): Promise<boolean>;
}

/** Where the parts of a session are, by the environment. */
export interface SessionPlaces extends BusPlaces {
  /** `XDG_DATA_HOME` or its default, which has KWallet's files. */
  readonly dataHome: string | undefined;
}

// The bus answers at once; a wallet is written and synced to a disk, which may be busy.
const LIMIT_MS = 5_000;

/** Saves values through the provider on the session bus. */
export class ServiceSaving implements Omit<Saving, "savesOnDemand"> {
  /** @param places called when needed: most commands never save. */
  constructor(private readonly places: () => SessionPlaces) {}

  provider(): Promise<Provider | undefined> {
    return this.#over(findProvider);
  }

  async save({ kind, name }: Provider, service: string): Promise<boolean> {
    // It writes and syncs its file before it answers a write.
    if (kind === "gnome-keyring") return true;
    const path = walletPath(kind);
    const { dataHome } = this.places();
    if (path === undefined || dataHome === undefined) return false;
    const saved = await this.#over(async (bus) => {
      const kwallet = { bus, daemon: name, path, dataHome };
      for (const wallet of await walletsOf(kwallet, service)) {
        if (!await syncWallet(kwallet, wallet)) return false;
      }
      return true;
    });
    return saved ?? false;
  }

  async #over<T>(work: (bus: BusConnection) => Promise<T>): Promise<T | undefined> {
    const socket = ownBus(this.places());
    if (socket === undefined) return undefined;
    try {
      return await overBus(socket, LIMIT_MS, work);
    } catch (error) {
      if (error instanceof BusError) return undefined;
      throw error;
    }
  }
}

interface KWallet {
  readonly bus: BusConnection;
  /** The daemon's unique bus name: a daemon that started meanwhile took no writes and must not be asked. */
  readonly daemon: string;
  /** Path of the object with the interface `org.kde.KWallet`. */
  readonly path: string;
  readonly dataHome: string;
}

/** Names of the wallets that hold items of a service, and of the one that new items go to. */
async function walletsOf(
  { bus, daemon: destination }: KWallet,
  service: string,
): Promise<Set<string>> {
  const { unlocked, locked } = foundItems(
    await bus.ask({ ...searchItems({ service }), destination }, "aoao"),
  );
  const collections = new Set(
    [...unlocked, ...locked].map((path) => path.slice(0, path.lastIndexOf("/"))),
  );
  const fallback = (await bus.ask({ ...READ_DEFAULT, destination }, "o")).objectPath();
  if (fallback !== "/") collections.add(fallback);
  const names = new Set<string>();
  for (const path of collections) {
    const label = await bus.ask({ ...collectionProperty(path, "Label"), destination }, "v");
    names.add(label.variant("s").string());
  }
  return names;
}

/**
 * Has KWallet write a wallet, and checks that its file was replaced, since `sync` returns nothing. Opening an open
 * wallet shows no prompt if the application name is the empty one, under which the daemon opened it for the Secret
 * Service.
 */
async function syncWallet(
  { bus, daemon, path, dataHome }: KWallet,
  wallet: string,
): Promise<boolean> {
  const call = { destination: daemon, path, interface: "org.kde.KWallet" };
  const file = join(dataHome, "kwalletd", `${wallet}.kwl`);
  const before = statOf(file);
  const isOpen = await bus.ask({ ...call, member: "isOpen", ...strings(wallet) }, "b");
  if (before === undefined || !isOpen.boolean()) return false;
  const opened = await bus.ask({
    ...call,
    member: "open",
    signature: "sxs",
    body: (to) => to.string(wallet).int64(0n).string(""),
  }, "i");
  const handle = opened.int32();
  const sync = { member: "sync", signature: "is" };
  bus.enqueue({ ...call, ...sync, body: (to) => to.int32(handle).string("") });
  // The daemon answers this after the sync, since it handles one call after the other.
  const asking = { member: "isOpen", signature: "i" };
  const still = await bus.ask({ ...call, ...asking, body: (to) => to.int32(handle) }, "b");
  return still.boolean() && isOther(before, statOf(file));
}

function isOther(before: BigIntStats, after: BigIntStats | undefined): boolean {
  return after !== undefined && (after.ino !== before.ino || after.mtimeNs !== before.mtimeNs);
}

function statOf(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}
