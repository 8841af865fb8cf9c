import { type BusConnection, overBus } from "./dbus_connection.ts";
import type { MethodCall } from "./dbus_message.ts";
import { BusError, busText, type Reader, type Writer } from "./dbus_wire.ts";
import { ALGORITHM, SecretSession } from "./secret_session.ts";
import { type BusPlaces, ownBus } from "../session_bus.ts";

const NAME = "org.freedesktop.secrets";
/** The Secret Service itself, for a call. */
export const SERVICE = {
  destination: NAME,
  path: "/org/freedesktop/secrets",
  interface: "org.freedesktop.Secret.Service",
};

/** An item of the keyring, as the addon's library names it. */
export interface ItemName {
  readonly service: string;
  readonly account: string;
}

/**
 * Reads items of the Secret Service without the addon, by four calls over the session bus. It answers the plain case
 * only: one item, unlocked. Everything else is left to the addon, whose findings are the ones that count.
 */
export class SecretService {
  #isUsable = true;

  constructor(private readonly bus: BusPlaces) {}

  /**
   * The value of the one unlocked item of this name; `undefined` when it is to be asked for in the usual way. Nothing
   * is started, unlocked or asked of the user.
   *
   * @param limit how long it may take at most, in milliseconds.
   * @param meanwhile is done while the service is at work.
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

// What can be worked out while the service is at work, is.
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
