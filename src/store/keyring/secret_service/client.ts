import type { ItemName } from "../platform.ts";
import { Buffer } from "node:buffer";
import { BusConnection, DBUS, overBus } from "./dbus_connection.ts";
import type { MethodCall } from "./dbus_message.ts";
import { BusError, busText, type Reader, type Writer } from "./dbus_wire.ts";
import { ALGORITHM, SecretSession } from "./session.ts";
import { type BusPlaces, ownBus } from "./session_bus.ts";

const INTERFACE = "org.freedesktop.Secret";
const PROPERTIES = "org.freedesktop.DBus.Properties";
// The same as the addon's library uses, so that each finds what the other wrote.
const CONTENT_TYPE = "application/octet-stream";
const label = ({ service, account }: ItemName) => `keyring:${account}@${service}`;

/**
 * Reads and writes items of a Secret Service over one connection, for a provider that asks its user once for each. Its
 * error texts are among those that `keyring/errors.ts` knows.
 *
 * It writes as little as possible: KeePassXC 2.7.4 crashed when changes met its saving thread, and each change fills an
 * entry's history.
 */
export class AskingService implements Disposable {
  private constructor(
    private readonly bus: BusConnection,
    private readonly service: string,
    private readonly session: SecretSession,
    private readonly sessionPath: string,
  ) {}

  /** @param socket of the bus. @param service the provider's own name on it: no other is ever asked. */
  static async open(socket: string, service: string): Promise<AskingService> {
    const bus = await BusConnection.open(socket);
    const session = new SecretSession();
    try {
      const opening = bus.enqueue({ ...openSession(session.publicKey), destination: service });
      await bus.flush();
      const { theirs, path } = sessionIn(await bus.answer(opening, "vo"));
      session.agree(theirs);
      return new AskingService(bus, service, session, path);
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
    return valueIn(await this.#ask(getSecret(path, this.sessionPath), "(oayays)"), this.session);
  }

  /** Writes an item, in place of one that is there. */
  async write(item: ItemName, value: string): Promise<void> {
    const path = await this.#find(item);
    if (path === undefined) return await this.#create(item, value);
    await this.#set(path, value);
  }

  /** Deletes an item; `false` when there was none. */
  async remove(item: ItemName): Promise<boolean> {
    const path = await this.#find(item);
    if (path === undefined) return false;
    const deletion = { path, interface: `${INTERFACE}.Item`, member: "Delete" };
    await this.#prompted((await this.#ask(deletion, "o")).objectPath());
    return true;
  }

  [Symbol.dispose](): void {
    this.session[Symbol.dispose]();
    this.bus[Symbol.dispose]();
  }

  async #find(item: ItemName): Promise<string | undefined> {
    this.bus.forget();
    // With a locked database, KeePassXC does not answer a search until the user unlocks it.
    await this.#mustBeOpen();
    const [unlocked, locked] = await this.#search(searchItems(item));
    const found = [...unlocked, ...locked];
    if (found.length > 1) throw new Error("The item is ambiguous");
    if (locked.length > 0) await this.#unlock(item, locked[0]!);
    return found[0];
  }

  async #search(call: MethodCall): Promise<[string[], string[]]> {
    const found = await this.#ask(call, "aoao");
    return [found.objectPaths(), found.objectPaths()];
  }

  async #mustBeOpen(): Promise<void> {
    const path = await this.#defaultCollection();
    const of = `${INTERFACE}.Collection`;
    const answer = await this.#ask(
      { path, interface: PROPERTIES, member: "Get", ...strings(of, "Locked") },
      "v",
    );
    if (answer.signature() !== "b" || answer.boolean()) throw new Error("It is locked");
  }

  async #defaultCollection(): Promise<string> {
    const call = { ...SERVICE, member: "ReadAlias", ...strings("default") };
    const path = (await this.#ask(call, "o")).objectPath();
    if (path === "/") throw new Error("There is no default collection");
    return path;
  }

  // Unlocks all items at once: one by one, the user would see a prompt for each.
  async #unlock({ service }: ItemName, path: string): Promise<void> {
    const attribute = (to: Writer) => void to.string("service").string(service);
    const [, locked] = await this.#search({
      ...SERVICE,
      member: "SearchItems",
      signature: "a{ss}",
      body: (to) => to.structs([attribute]),
    });
    const answer = await this.#ask({
      ...SERVICE,
      member: "Unlock",
      signature: "ao",
      body: (to) => to.objectPaths(locked),
    }, "aoo");
    const unlocked = answer.objectPaths();
    const allowed = await this.#prompted(answer.objectPath());
    if (allowed?.signature() === "ao") unlocked.push(...allowed.objectPaths());
    if (!unlocked.includes(path)) throw new Error("Access denied");
  }

  async #create(item: ItemName, value: string): Promise<void> {
    const path = await this.#defaultCollection();
    const answer = await this.#ask({
      path,
      interface: `${INTERFACE}.Collection`,
      member: "CreateItem",
      signature: "a{sv}(oayays)b",
      body: (to) => {
        to.structs([
          (of) => of.string(`${INTERFACE}.Item.Label`).signature("s").string(label(item)),
          (of) =>
            of.string(`${INTERFACE}.Item.Attributes`).signature("a{ss}").structs([
              (pair) => void pair.string("service").string(item.service),
              (pair) => void pair.string("username").string(item.account),
            ]),
        ]);
        this.#sealed(to.align(8), value);
        to.boolean(true);
      },
    }, "oo");
    answer.objectPath();
    await this.#prompted(answer.objectPath());
  }

  async #set(path: string, value: string): Promise<void> {
    await this.#ask({
      path,
      interface: `${INTERFACE}.Item`,
      member: "SetSecret",
      signature: "(oayays)",
      body: (to) => this.#sealed(to, value),
    }, "");
  }

  #sealed(to: Writer, value: string): void {
    const bytes = Buffer.from(value);
    const { initial, sealed } = this.session.seal(bytes);
    bytes.fill(0);
    to.string(this.sessionPath).byteArray(initial).byteArray(sealed).string(CONTENT_TYPE);
  }

  /** Shows the prompt of a path, unless the path is `/`, and waits for its result. */
  async #prompted(path: string): Promise<Reader | undefined> {
    if (path === "/") return undefined;
    const rule = `type='signal',interface='${INTERFACE}.Prompt',member='Completed',path='${path}'`;
    await this.#ask({ ...DBUS, member: "AddMatch", ...strings(rule) }, "", DBUS.destination);
    await this.#ask(
      { path, interface: `${INTERFACE}.Prompt`, member: "Prompt", ...strings("") },
      "",
    );
    const completed = await this.bus.signal(path, "Completed", "bv");
    if (completed.boolean()) throw new Error("Access denied: the user dismissed the prompt");
    return completed;
  }

  async #ask(
    call: Omit<MethodCall, "destination">,
    signature: string,
    destination = this.service,
  ): Promise<Reader> {
    const serial = this.bus.enqueue({ ...call, destination });
    await this.bus.flush();
    try {
      return await this.bus.answer(serial, signature);
    } catch (error) {
      if (!(error instanceof BusError && error.isRefusal)) throw error;
      throw new Error(`The keyring has refused ${call.member}`, { cause: error });
    }
  }
}

function strings(...values: string[]): Pick<MethodCall, "signature" | "body"> {
  return {
    signature: "s".repeat(values.length),
    body: (to) => values.forEach((value) => to.string(value)),
  };
}

const NAME = "org.freedesktop.secrets";
/** The Secret Service itself, for a call. */
export const SERVICE = {
  destination: NAME,
  path: "/org/freedesktop/secrets",
  interface: "org.freedesktop.Secret.Service",
};

/**
 * Reads items of the Secret Service without the addon, by four calls over the session bus. It handles only the usual
 * case of one unlocked item, and leaves everything else to the addon.
 */
export class SecretService {
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
      return await overBus(socket, limit, (bus) => readOver(bus, item, meanwhile));
    } catch (error) {
      if (!(error instanceof BusError)) throw error;
      // Each further call could take as long.
      this.#isUsable = false;
      return undefined;
    }
  }
}

// Does its own computation while the service works.
async function readOver(
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
  const path = onlyUnlocked(await bus.answer(searching, "aoao"));
  if (path === undefined) return undefined;
  const { theirs, path: sessionPath } = sessionIn(await bus.answer(opening, "vo"));
  const getting = bus.enqueue(getSecret(path, sessionPath));
  await bus.flush();
  session.agree(theirs);
  return valueIn(await bus.answer(getting, "(oayays)"), session);
}

/** The service's key, and the session's path, in what `OpenSession` answers. */
export function sessionIn(opened: Reader): { theirs: Uint8Array; path: string } {
  if (opened.signature() !== "ay") throw new BusError("The service's key has another type");
  const theirs = opened.byteArray();
  const path = opened.objectPath();
  opened.end();
  return { theirs, path };
}

function onlyUnlocked(found: Reader): string | undefined {
  const [unlocked, locked] = [found.objectPaths(), found.objectPaths()];
  found.end();
  return unlocked.length === 1 && locked.length === 0 ? unlocked[0] : undefined;
}

/** The value in what `GetSecret` answers. */
export function valueIn(secret: Reader, session: SecretSession): string {
  secret.objectPath();
  const [initial, sealed] = [secret.byteArray(), secret.byteArray()];
  secret.string();
  secret.end();
  const value = session.open(initial, sealed);
  try {
    return busText(value);
  } finally {
    value.fill(0);
  }
}

/** A search for the items of a name; the answer is those that are unlocked, and those that are locked. */
export function searchItems({ service, account }: ItemName): MethodCall {
  const attribute = (name: string, value: string) => (to: Writer) => to.string(name).string(value);
  return {
    ...SERVICE,
    member: "SearchItems",
    signature: "a{ss}",
    body: (to) => to.structs([attribute("service", service), attribute("username", account)]),
  };
}

/** A call of `OpenSession`. */
export function openSession(publicKey: Uint8Array): MethodCall {
  return {
    ...SERVICE,
    member: "OpenSession",
    signature: "sv",
    body: (to) => to.string(ALGORITHM).signature("ay").byteArray(publicKey),
  };
}

/** A call of `GetSecret`. */
export function getSecret(path: string, session: string): MethodCall {
  return {
    destination: NAME,
    path,
    interface: "org.freedesktop.Secret.Item",
    member: "GetSecret",
    signature: "o",
    body: (to) => to.string(session),
  };
}
