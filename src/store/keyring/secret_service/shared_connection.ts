import type { ServiceClient } from "./client.ts";
import type { KeyringAddon } from "../addon.ts";
import { type AskEntry, entriesBy, type EntryMethod } from "../addon_thread.ts";
import type { ItemName } from "./service_calls.ts";
import { asksEachConnection, type Provider } from "./provider.ts";
import { type BusPlaces, ownBus } from "./session_bus.ts";

// The bus answers at once, whatever the provider does.
const BUS_MS = 1_000;

/**
 * Keeps one connection to a provider that asks its user for each. The addon opens one for each call: a command would
 * show a dozen prompts.
 */
export class SharedConnection {
  #open: { readonly provider: Provider; readonly client: ServiceClient } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** @param places called when needed. */
  constructor(private readonly places: () => BusPlaces) {}

  /** Entries that use the shared connection if the provider asks for each, and the addon if not. */
  entries({ AsyncEntry, ready }: KeyringAddon): KeyringAddon {
    const ask: AskEntry = async (entry, method, value, signal) => {
      const found = await this.#asking();
      if (found === undefined) {
        return await callAddon(new AsyncEntry(...entry as [string, string]), method, value, signal);
      }
      const [service, account] = entry as [string, string];
      return await this.#inTurn(signal, async () => {
        const client = await this.#clientOf(found.socket, found.provider);
        return await callService(client, { service, account }, method, value);
      });
    };
    const own = { AsyncEntry: entriesBy(ask) };
    if (ready === undefined) return own;
    return {
      ...own,
      ready: async () => {
        if (await this.#asking() === undefined) await ready();
      },
    };
  }

  // The provider, if it asks its user for each connection.
  async #asking(): Promise<{ socket: string; provider: Provider } | undefined> {
    const socket = ownBus(this.places());
    const provider = socket === undefined ? undefined : await providerOn(socket);
    if (provider === undefined || !asksEachConnection(provider.kind)) return undefined;
    return { socket: socket!, provider };
  }

  // One call at a time. A call that was aborted while it waited must not run later.
  #inTurn<T>(signal: AbortSignal | null | undefined, work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      if (signal?.aborted) throw new Error("An earlier call timed out");
      // An aborted call must not keep waiting for the user: it would block the next calls.
      const giveUp = () => this.#drop();
      signal?.addEventListener("abort", giveUp, { once: true });
      try {
        return await work();
      } catch (error) {
        // A locked provider forgets its sessions. After a denial, a new connection would only ask again.
        const isDenial = error instanceof Error && error.message.startsWith("Access denied");
        if (!isDenial) this.#drop();
        throw error;
      } finally {
        signal?.removeEventListener("abort", giveUp);
      }
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #clientOf(socket: string, provider: Provider): Promise<ServiceClient> {
    if (this.#open?.provider.incarnation !== provider.incarnation) {
      this.#drop();
      const { ServiceClient } = await import("./client.ts");
      this.#open = { provider, client: await ServiceClient.open(socket, provider.name) };
    }
    return this.#open!.client;
  }

  #drop(): void {
    this.#open?.client[Symbol.dispose]();
    this.#open = undefined;
  }
}

async function providerOn(socket: string): Promise<Provider | undefined> {
  const { findProvider } = await import("./find_provider.ts");
  const { overBus } = await import("./dbus_connection.ts");
  const { BusError } = await import("./dbus_wire.ts");
  try {
    return await overBus(socket, BUS_MS, findProvider);
  } catch (error) {
    if (error instanceof BusError) return undefined;
    throw error;
  }
}

function callAddon(
  entry: InstanceType<KeyringAddon["AsyncEntry"]>,
  method: EntryMethod,
  value: unknown[],
  signal?: AbortSignal | null,
) {
  if (method === "setPassword") return entry.setPassword(value[0] as string, signal);
  return entry[method](signal);
}

function callService(
  service: ServiceClient,
  item: ItemName,
  method: EntryMethod,
  value: unknown[],
): Promise<unknown> {
  if (method === "getPassword") return service.read(item);
  if (method === "deletePassword") return service.remove(item);
  return service.write(item, value[0] as string);
}
