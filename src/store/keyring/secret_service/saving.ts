import { type BigIntStats, statSync } from "node:fs";
import { join } from "node:path";
import { type BusConnection, overBus } from "./dbus_connection.ts";
import type { MethodCall } from "./dbus_message.ts";
import { BusError, type Reader, type Writer } from "./dbus_wire.ts";
import { findProvider, type Provider, type ProviderKind } from "./provider.ts";
import { type BusPlaces, ownBus } from "./session_bus.ts";

/** Whether what a provider of the Secret Service has acknowledged would outlive it. */
export interface Saving {
  /** Who takes what is written now; `undefined` when that cannot be told. */
  provider(): Promise<Provider | undefined>;
  /** Whether {@linkcode Saving.save} can have an effect. */
  savesOnDemand(provider: Provider): boolean;
  /**
   * Has a provider save what it has taken.
   *
   * @param service that the items have been written under.
   * @returns whether it was seen to be saved; `false` when it was not, or cannot be.
   */
  save(provider: Provider, service: string): Promise<boolean>;
}

/** Where the parts of a session are, by the environment. */
export interface SessionPlaces extends BusPlaces {
  /** `XDG_DATA_HOME`, or what it is by default: KWallet's files are below it. */
  readonly dataHome: string | undefined;
}

// The bus answers at once; a wallet is written and synchronised with the disk.
const LIMIT_MS = 2_000;

// KWallet's daemons write some seconds later by themselves, and at once when they are told to. Since KDE Frameworks 6.13
// the Secret Service is ksecretd's.
const WALLET_PATHS: Partial<Record<ProviderKind, string>> = {
  kwalletd5: "/modules/kwalletd5",
  kwalletd6: "/modules/kwalletd6",
  ksecretd: "/ksecretd",
};

/** The way to see that a provider on the session bus has saved what it took: one for each kind that has one. */
export class ServiceSaving implements Saving {
  /** @param places are asked for when they are needed: of most commands they are no business. */
  constructor(private readonly places: () => SessionPlaces) {}

  provider(): Promise<Provider | undefined> {
    return this.#over(findProvider);
  }

  savesOnDemand({ kind }: Provider): boolean {
    return WALLET_PATHS[kind] !== undefined;
  }

  async save({ kind, name }: Provider, service: string): Promise<boolean> {
    // It writes its file, and synchronises it with the disk, before it answers.
    if (kind === "gnome-keyring") return true;
    const path = WALLET_PATHS[kind];
    const { dataHome } = this.places();
    if (path === undefined || dataHome === undefined) return false;
    return await this.#over((bus) => syncWallets({ bus, daemon: name, path, dataHome }, service)) ??
      false;
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

/** What KWallet is asked to save, and how. */
interface Wallets {
  readonly bus: BusConnection;
  /** The daemon's own name on the bus: one that was started meanwhile has taken nothing, and must not be asked. */
  readonly daemon: string;
  /** The object that has the interface `org.kde.KWallet`. */
  readonly path: string;
  readonly dataHome: string;
}

/** Has KWallet write the wallets that hold items of a service, and the one that new items go to. */
async function syncWallets(around: Wallets, service: string): Promise<boolean> {
  for (const wallet of await walletsOf(around, service)) {
    if (!await syncWallet(around, wallet)) return false;
  }
  return true;
}

async function walletsOf({ bus, daemon }: Wallets, service: string): Promise<Set<string>> {
  const secrets = {
    destination: daemon,
    path: "/org/freedesktop/secrets",
    interface: "org.freedesktop.Secret.Service",
  };
  const attribute = (to: Writer) => void to.string("service").string(service);
  const [found, fallback] = await ask(bus, [
    [{
      ...secrets,
      member: "SearchItems",
      signature: "a{ss}",
      body: (to) => void to.structs([attribute]),
    }, "aoao"],
    [{ ...secrets, member: "ReadAlias", ...strings("default") }, "o"],
  ]);
  const items = [...found!.objectPaths(), ...found!.objectPaths()];
  const collections = new Set(items.map((path) => path.slice(0, path.lastIndexOf("/"))));
  collections.add(fallback!.objectPath());
  const asked = [...collections].filter((path) => path !== "/").map((path): Question => [{
    destination: daemon,
    path,
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    ...strings("org.freedesktop.Secret.Collection", "Label"),
  }, "v"]);
  return new Set((await ask(bus, asked)).map(text));
}

/**
 * Has KWallet write a wallet, and looks whether its file is another one then: `sync` itself tells nothing. Opening a
 * wallet that is open asks no one, when it is done in the name (the empty one) under which the daemon itself has opened
 * it for the Secret Service.
 */
async function syncWallet(
  { bus, daemon, path, dataHome }: Wallets,
  wallet: string,
): Promise<boolean> {
  const call = { destination: daemon, path, interface: "org.kde.KWallet" };
  const file = join(dataHome, "kwalletd", `${wallet}.kwl`);
  const before = fileAt(file);
  const [open] = await ask(bus, [[{ ...call, member: "isOpen", ...strings(wallet) }, "b"]]);
  if (before === undefined || !open!.boolean()) return false;
  const opening = (to: Writer) => void to.string(wallet).int64(0n).string("");
  const [opened] = await ask(bus, [[
    { ...call, member: "open", signature: "sxs", body: opening },
    "i",
  ]]);
  const handle = opened!.int32();
  bus.enqueue({
    ...call,
    member: "sync",
    signature: "is",
    body: (to) => void to.int32(handle).string(""),
  });
  // Answered after it, since the daemon carries out one call after the other.
  const asking = {
    ...call,
    member: "isOpen",
    signature: "i",
    body: (to: Writer) => void to.int32(handle),
  };
  const [still] = await ask(bus, [[asking, "b"]]);
  const after = fileAt(file);
  return still!.boolean() && after !== undefined &&
    (after.ino !== before.ino || after.mtimeNs !== before.mtimeNs);
}

/** A call, and the signature that its answer must have. */
type Question = [MethodCall, string];

async function ask(bus: BusConnection, questions: readonly Question[]): Promise<Reader[]> {
  const serials = questions.map(([call]) => bus.enqueue(call));
  await bus.flush();
  const answers: Reader[] = [];
  for (const [at, [, signature]] of questions.entries()) {
    answers.push(await bus.answer(serials[at]!, signature));
  }
  return answers;
}

function strings(...values: string[]): Pick<MethodCall, "signature" | "body"> {
  return {
    signature: "s".repeat(values.length),
    body: (to) => values.forEach((value) => to.string(value)),
  };
}

function text(variant: Reader): string {
  if (variant.signature() !== "s") throw new BusError("A wallet's name has another type");
  return variant.string();
}

function fileAt(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}
