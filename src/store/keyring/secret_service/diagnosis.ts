import { keyringError, keyringTimeout } from "../errors.ts";
import { type BusConnection, DBUS, overBus } from "./dbus_connection.ts";
import { BusError, type Writer } from "./dbus_wire.ts";
import type { ItemName } from "../platform.ts";
import { searchItems, SERVICE } from "./client.ts";
import { type BusPlaces, ownBus, refuseUnsafeBus } from "./session_bus.ts";
import { type ErrorCode, RekeyError } from "../../../core/errors.ts";
import { findProvider, remedyFor } from "./provider.ts";

/**
 * Checks that the Secret Service could be written to now, without a prompt. A bus that only the addon's library can
 * reach counts as ready.
 *
 * @param limit timeout in milliseconds.
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

// Whether the item's collection is locked, or for a new item the default collection.
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

/** State of a keyring; `unknown` where only the addon could tell. */
export type KeyringState = "open" | "locked" | "silent" | "unknown";

// A bus that takes a larger share of the limit is slow itself.
const QUICK_SHARE = 0.25;

/**
 * Searches the Secret Service for items of a service name, without their values and without a prompt.
 *
 * @param limit timeout in milliseconds; then the state is `silent`.
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
      // KeePassXC finds nothing in a locked database.
      return found.objectPaths().length > 0 ? "open" : "locked";
    });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    // On an overloaded machine the bus is slow too, and the state stays unknown.
    const isQuickBus = busTook < limit * QUICK_SHARE;
    return isQuickBus && performance.now() - start >= limit ? "silent" : "unknown";
  }
}

/**
 * Adds the provider's own hint to an error. A provider that is known to be silent is not asked.
 */
export type Diagnosis = (error: RekeyError, isSilent?: boolean) => Promise<RekeyError>;

// Short, since a request of `serve` may be waiting and the provider may not answer.
const LIMIT_MS = 100;

// How a provider without a default collection fails: with an error, or a dialog that asks for one.
const UNMADE: readonly ErrorCode[] = ["keyring_failed", "keyring_timeout"];

const SERVICE_INTERFACE = "org.freedesktop.Secret.Service";

/**
 * The diagnosis of the Secret Service on the session bus: which provider it is, and whether it has a default collection.
 *
 * @param places called when needed.
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
        // The provider may not answer the next calls.
        named = withRemedy(error, remedyFor(error.code, provider.kind)?.hint);
        if (isSilent || !UNMADE.includes(error.code) || await hasDefault(bus, provider.name)) {
          return;
        }
        const { hint } = remedyFor("keyring_no_default", provider.kind)!;
        named = withRemedy(noDefault(error), hint);
        // Another collection may hold a secret of rekey.
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
  // gnome-keyring always has a collection of the session.
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
