import { BusConnection, DBUS, overBus } from "./dbus_connection.ts";
import type { MethodCall } from "./dbus_message.ts";
import { BusError, type Reader } from "./dbus_wire.ts";
import {
  collectionProperty,
  createItem,
  deleteItem,
  foundItems,
  getSecret,
  type ItemName,
  openedSession,
  openSession,
  promptRule,
  READ_DEFAULT,
  searchItems,
  SecretSession,
  secretValue,
  setSecret,
  showPrompt,
  strings,
  unlock,
  writeSecret,
} from "./service_calls.ts";
import { type BusPlaces, ownBus } from "./session_bus.ts";

/**
 * Reads items of the Secret Service without the addon, over a connection for each read. It handles only the usual case
 * of one unlocked item, and leaves everything else to the addon.
 */
export class QuickReader {
  #isUsable = true;

  constructor(private readonly bus: BusPlaces) {}

  /**
   * The value of the only item of this name, if it is unlocked; `undefined` when the addon has to be asked. Starts no
   * service and shows no prompt.
   *
   * @param limit timeout in milliseconds.
   * @param meanwhile runs while the service works.
   */
  async read(item: ItemName, limit: number, meanwhile = () => {}): Promise<string | undefined> {
    const socket = this.#isUsable ? ownBus(this.bus) : undefined;
    if (socket === undefined) return undefined;
    try {
      return await overBus(socket, limit, (bus) => readUnlocked(bus, item, meanwhile));
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      // Each further call could take as long.
      this.#isUsable = false;
      return undefined;
    }
  }
}

// Makes its key while the service searches.
async function readUnlocked(
  bus: BusConnection,
  item: ItemName,
  meanwhile: () => void,
): Promise<string | undefined> {
  const searching = bus.enqueue(searchItems(item));
  await bus.flush();
  using session = new SecretSession();
  const opening = bus.enqueue(openSession(session.publicKey));
  await bus.flush();
  meanwhile();
  const { unlocked, locked } = foundItems(await bus.answer(searching, "aoao"));
  if (unlocked.length !== 1 || locked.length > 0) return undefined;
  const { publicKey, path } = openedSession(await bus.answer(opening, "vo"));
  const getting = bus.enqueue(getSecret(unlocked[0]!, path));
  await bus.flush();
  session.agree(publicKey);
  return secretValue(await bus.answer(getting, "(oayays)"), session);
}

/**
 * Reads and writes items of a Secret Service over one connection, for a provider that asks its user once for each. Its
 * error texts are among those that `keyring/errors.ts` knows.
 *
 * It writes as little as possible: KeePassXC 2.7.4 crashed when changes met its saving thread, and each change fills an
 * entry's history.
 */
export class ServiceClient implements Disposable {
  private constructor(
    private readonly bus: BusConnection,
    private readonly provider: string,
    private readonly session: SecretSession,
    private readonly sessionPath: string,
  ) {}

  /** @param socket of the bus. @param provider its own name on the bus: no other program is ever asked. */
  static async open(socket: string, provider: string): Promise<ServiceClient> {
    const bus = await BusConnection.open(socket);
    const session = new SecretSession();
    try {
      const opening = { ...openSession(session.publicKey), destination: provider };
      const { publicKey, path } = openedSession(await bus.ask(opening, "vo"));
      session.agree(publicKey);
      return new ServiceClient(bus, provider, session, path);
    } catch (error) {
      session[Symbol.dispose]();
      bus[Symbol.dispose]();
      throw error;
    }
  }

  /** The value of an item; `null` when there is none. */
  async read(item: ItemName): Promise<string | null> {
    const path = await this.#find(item);
    if (path === undefined) return null;
    return secretValue(
      await this.#ask(getSecret(path, this.sessionPath), "(oayays)"),
      this.session,
    );
  }

  /** Creates an item, or replaces its value. */
  async write(item: ItemName, value: string): Promise<void> {
    const path = await this.#find(item);
    const secret = writeSecret(this.session, this.sessionPath, value);
    if (path !== undefined) {
      await this.#ask(setSecret(path, secret), "");
      return;
    }
    const created = createItem(await this.#defaultCollection(), item, secret);
    const answer = await this.#ask(created, "oo");
    answer.objectPath();
    await this.#prompted(answer.objectPath());
  }

  /** Deletes an item; `false` when there was none. */
  async remove(item: ItemName): Promise<boolean> {
    const path = await this.#find(item);
    if (path === undefined) return false;
    await this.#prompted((await this.#ask(deleteItem(path), "o")).objectPath());
    return true;
  }

  [Symbol.dispose](): void {
    this.session[Symbol.dispose]();
    this.bus[Symbol.dispose]();
  }

  async #find(item: ItemName): Promise<string | undefined> {
    this.bus.forget();
    // With a locked database, KeePassXC does not answer a search until the user unlocks it.
    const locking = collectionProperty(await this.#defaultCollection(), "Locked");
    if ((await this.#ask(locking, "v")).variant("b").boolean()) throw new Error("It is locked");
    const { unlocked, locked } = foundItems(await this.#ask(searchItems(item), "aoao"));
    const found = [...unlocked, ...locked];
    if (found.length > 1) throw new Error("The item is ambiguous");
    if (locked.length > 0) await this.#unlock(item, locked[0]!);
    return found[0];
  }

  async #defaultCollection(): Promise<string> {
    const path = (await this.#ask(READ_DEFAULT, "o")).objectPath();
    if (path === "/") throw new Error("There is no default collection");
    return path;
  }

  // Unlocks all items at once: one by one, the user would see a prompt for each.
  async #unlock({ service }: ItemName, path: string): Promise<void> {
    const { locked } = foundItems(await this.#ask(searchItems({ service }), "aoao"));
    const answer = await this.#ask(unlock(locked), "aoo");
    const unlocked = answer.objectPaths();
    const allowed = await this.#prompted(answer.objectPath());
    if (allowed?.signature() === "ao") unlocked.push(...allowed.objectPaths());
    if (!unlocked.includes(path)) throw new Error("Access denied");
  }

  /** Shows the prompt of a path, unless the path is `/`, and waits for its result. */
  async #prompted(path: string): Promise<Reader | undefined> {
    if (path === "/") return undefined;
    const matching = { ...DBUS, member: "AddMatch", ...strings(promptRule(path)) };
    await this.#ask(matching, "", DBUS.destination);
    await this.#ask(showPrompt(path), "");
    const completed = await this.bus.signal(path, "Completed", "bv");
    if (completed.boolean()) throw new Error("Access denied: the user dismissed the prompt");
    return completed;
  }

  async #ask(
    call: MethodCall,
    signature: string,
    destination = this.provider,
  ): Promise<Reader> {
    try {
      return await this.bus.ask({ ...call, destination }, signature);
    } catch (error) {
      if (!(error instanceof BusError && error.isRefusal)) throw error;
      throw new Error(`The keyring has refused ${call.member}`, { cause: error });
    }
  }
}
