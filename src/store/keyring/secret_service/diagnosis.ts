import { keyringError, keyringTimeout } from "../errors.ts";
import { type BusConnection, DBUS, overBus } from "./dbus_connection.ts";
import { BusError, type Writer } from "./dbus_wire.ts";
import { type ItemName, searchItems, SERVICE } from "./client.ts";
import { type BusPlaces, ownBus, refuseUnsafeBus } from "./session_bus.ts";
import { type ErrorCode, RekeyError } from "../../../core/errors.ts";
import { findProvider, remedyFor } from "./provider.ts";

/**
 * Looks whether the Secret Service could be written to now. Nothing is unlocked, so that no prompt appears; a bus that
 * only the addon's library can reach is taken for ready.
 *
 * @param limit in milliseconds.
 * @throws {RekeyError} a `keyring_…` code when it could not.
 */
export async function mustBeReady(
  places: BusPlaces,
  item: ItemName,
  limit: number,
): Promise<void> {
  refuseUnsafeBus(places);
  const socket = ownBus(places);
  if (socket === undefined) return;
  const start = performance.now();
  try {
    if (await overBus(socket, limit, (bus) => isLocked(bus, item))) {
      throw keyringError(new Error("The keyring is locked"));
    }
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    if (performance.now() - start >= limit) throw keyringTimeout();
    throw keyringError(new Error("Failed to connect: no Secret Service answers on the bus"));
  }
}

// The item's own collection counts; of one that is not there yet the default one, where it would be made.
async function isLocked(bus: BusConnection, item: ItemName): Promise<boolean> {
  const searching = bus.enqueue(searchItems(item));
  const naming = bus.enqueue({
    ...SERVICE,
    member: "ReadAlias",
    signature: "s",
    body: (to: Writer) => void to.string("default"),
  });
  await bus.flush();
  const found = await bus.answer(searching, "aoao");
  const [unlocked, locked] = [found.objectPaths(), found.objectPaths()];
  if (unlocked.length + locked.length > 0) return locked.length > 0;
  const path = (await bus.answer(naming, "o")).objectPath();
  if (path === "/") throw keyringError(new Error("There is no default collection"));
  const asking = bus.enqueue({
    destination: SERVICE.destination,
    path,
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    signature: "ss",
    body: (to: Writer) => void to.string("org.freedesktop.Secret.Collection").string("Locked"),
  });
  await bus.flush();
  const answer = await bus.answer(asking, "v");
  return answer.signature() === "b" && answer.boolean();
}

/** What a keyring is like at one moment; `unknown` where that cannot be told without the addon. */
export type KeyringState = "open" | "locked" | "silent" | "unknown";

// How much of the time a bus may take that has nothing else to do.
const QUICK_SHARE = 0.25;

/**
 * Asks the Secret Service for its items under a service name, and for nothing in them: no one is asked to unlock it.
 *
 * @param limit how long it may take to answer, in milliseconds; `silent` when it takes longer.
 */
export async function probeKeyring(
  places: BusPlaces,
  service: string,
  limit: number,
): Promise<KeyringState> {
  const socket = ownBus(places);
  if (socket === undefined) return "unknown";
  const start = performance.now();
  let busTook = Infinity;
  try {
    return await overBus(socket, limit, async (bus) => {
      const identifying = bus.enqueue({ ...DBUS, member: "GetId" });
      const asking = bus.enqueue({
        destination: "org.freedesktop.secrets",
        path: "/org/freedesktop/secrets",
        interface: "org.freedesktop.Secret.Service",
        member: "SearchItems",
        signature: "a{ss}",
        body: (to) => void to.structs([(of: Writer) => void of.string("service").string(service)]),
      });
      await bus.flush();
      await bus.answer(identifying, "s");
      busTook = performance.now() - start;
      const found = await bus.answer(asking, "aoao");
      // KeePassXC shows nothing of a locked database.
      return found.objectPaths().length > 0 ? "open" : "locked";
    });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    // On a machine that is overloaded the bus is slow as well, and nothing can be told.
    const isQuickBus = busTook < limit * QUICK_SHARE;
    return isQuickBus && performance.now() - start >= limit ? "silent" : "unknown";
  }
}

/**
 * Says of a failure what the program that provides the keyring has to do with it. One that is known to be silent is not
 * asked anything.
 */
export type Diagnosis = (error: RekeyError, isSilent?: boolean) => Promise<RekeyError>;

// A request of the server's may be waiting, and a provider may be silent; the bus is not.
const LIMIT_MS = 100;

// What a provider does that has nowhere to put a value: an error, or a dialog that asks where.
const UNMADE: readonly ErrorCode[] = ["keyring_failed", "keyring_timeout"];

const SERVICE_INTERFACE = "org.freedesktop.Secret.Service";

/**
 * The diagnosis of the Secret Service on the session bus: whose it is, and whether it has a default collection. It is
 * asked for when something has failed only.
 *
 * @param places are asked for when they are needed.
 */
export function serviceDiagnosis(places: () => BusPlaces): Diagnosis {
  return async (error, isSilent = false) => {
    const socket = ownBus(places());
    if (socket === undefined) return error;
    let named = error;
    try {
      await overBus(socket, LIMIT_MS, async (bus) => {
        const provider = await findProvider(bus);
        if (provider === undefined) return;
        // It may never answer what comes next.
        named = withRemedy(error, remedyFor(error.code, provider.kind)?.hint);
        if (isSilent || !UNMADE.includes(error.code) || await hasDefault(bus, provider.name)) {
          return;
        }
        const { hint } = remedyFor("keyring_no_default", provider.kind)!;
        named = withRemedy(noDefault(error), hint);
        // What is in another collection than the default one may be a secret of rekey's.
        if (await hasCollections(bus, provider.name)) named = withRemedy(error, hint);
      });
    } catch (fault) {
      if (!(fault instanceof BusError)) throw fault;
    }
    return named;
  };
}

async function hasDefault(bus: BusConnection, provider: string): Promise<boolean> {
  const asking = bus.enqueue({
    destination: provider,
    path: "/org/freedesktop/secrets",
    interface: SERVICE_INTERFACE,
    member: "ReadAlias",
    signature: "s",
    body: (to) => void to.string("default"),
  });
  await bus.flush();
  return (await bus.answer(asking, "o")).objectPath() !== "/";
}

async function hasCollections(bus: BusConnection, provider: string): Promise<boolean> {
  const asking = bus.enqueue({
    destination: provider,
    path: "/org/freedesktop/secrets",
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    signature: "ss",
    body: (to) => void to.string(SERVICE_INTERFACE).string("Collections"),
  });
  await bus.flush();
  const answer = await bus.answer(asking, "v");
  if (answer.signature() !== "ao") throw new BusError("Collections have another type");
  // gnome-keyring always has one for the session, which ends with it.
  return answer.objectPaths().some((path) => !path.endsWith("/session"));
}

function noDefault(cause: RekeyError): RekeyError {
  const what = "Cannot use the keyring: it has no default wallet or collection";
  return new RekeyError("keyring_no_default", what, { cause: cause.cause });
}

function withRemedy(error: RekeyError, hint: string | undefined): RekeyError {
  if (hint === undefined) return error;
  return new RekeyError(error.code, error.message, { hint, cause: error.cause });
}
