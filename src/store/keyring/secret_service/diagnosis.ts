import { type ErrorCode, RekeyError } from "../../../core/errors.ts";
import type { KeyringCode } from "../codes.ts";
import { keyringError, keyringRefusal, REMEDIES } from "../errors.ts";
import { type BusConnection, GET_ID, overBus } from "./dbus_connection.ts";
import { BusError } from "./dbus_wire.ts";
import { findProvider } from "./find_provider.ts";
import type { Provider } from "./provider.ts";
import {
  collectionProperty,
  COLLECTIONS,
  foundItems,
  type ItemName,
  READ_DEFAULT,
  searchItems,
} from "./service_calls.ts";
import { refuseUnsafeBus } from "./safe_bus.ts";
import { type BusPlaces, ownBus } from "./session_bus.ts";

/**
 * Checks that the Secret Service could be written to now, without a prompt. A bus that only the addon's library can
 * reach counts as ready.
 *
 * @param limit timeout in milliseconds.
 * @throws {RekeyError} a `keyring_…` code when it could not.
 */
export async function mustBeReady(places: BusPlaces, item: ItemName, limit: number): Promise<void> {
  refuseUnsafeBus(places);
  const socket = ownBus(places);
  if (socket === undefined) return;
  const start = performance.now();
  try {
    if (await overBus(socket, limit, (bus) => isLocked(bus, item))) {
      throw keyringRefusal("keyring_locked");
    }
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    if (performance.now() - start >= limit) throw keyringRefusal("keyring_timeout");
    throw keyringError(new Error("Failed to connect: no Secret Service answers on the bus"));
  }
}

// Whether the item's collection is locked, or for a new item the default collection.
async function isLocked(bus: BusConnection, item: ItemName): Promise<boolean> {
  const searching = bus.enqueue(searchItems(item));
  const naming = bus.enqueue(READ_DEFAULT);
  await bus.flush();
  const { unlocked, locked } = foundItems(await bus.answer(searching, "aoao"));
  if (unlocked.length + locked.length > 0) return locked.length > 0;
  const path = (await bus.answer(naming, "o")).objectPath();
  if (path === "/") throw keyringError(new Error("There is no default collection"));
  return await isShut(bus, path);
}

// Whether a collection is locked. A gnome-keyring-daemon names one that another daemon has made, and does not have it.
async function isShut(bus: BusConnection, path: string): Promise<boolean> {
  try {
    const answer = await bus.ask(collectionProperty(path, "Locked"), "v");
    return answer.variant("b").boolean();
  } catch (error) {
    if (error instanceof BusError && error.isRefusal) return true;
    throw error;
  }
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
      const identifying = bus.enqueue(GET_ID);
      const searching = bus.enqueue(searchItems({ service }));
      await bus.flush();
      await bus.answer(identifying, "s");
      busTook = performance.now() - start;
      const { unlocked } = foundItems(await bus.answer(searching, "aoao"));
      // KeePassXC finds nothing in a locked database.
      return unlocked.length > 0 ? "open" : "locked";
    });
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    // On an overloaded machine the bus is slow too, and the state stays unknown.
    const isQuickBus = busTook < limit * QUICK_SHARE;
    return isQuickBus && performance.now() - start >= limit ? "silent" : "unknown";
  }
}

// Usually a few milliseconds. Short, since a request of `serve` may be waiting and the provider may not answer; but an
// overloaded machine takes longer than 100 ms, and without the answer the hint names no provider.
const DIAGNOSIS_MS = 500;

// How a provider without a default collection fails: with an error, or a dialog that asks for one.
const MAY_LACK_DEFAULT: readonly ErrorCode[] = ["keyring_failed", "keyring_timeout"];

/**
 * Adds the provider's own hint to an error of the Secret Service, and finds out whether the default collection is
 * missing.
 *
 * @param isSilent whether the provider is known not to answer; then only the bus is asked.
 */
export async function diagnose(
  places: BusPlaces,
  error: RekeyError,
  isSilent = false,
): Promise<RekeyError> {
  const socket = ownBus(places);
  if (socket === undefined) return error;
  let diagnosed = error;
  try {
    await overBus(socket, DIAGNOSIS_MS, async (bus) => {
      const provider = await findProvider(bus);
      if (provider === undefined) return;
      // The provider may not answer the next calls.
      diagnosed = withHint(error, REMEDIES[provider.kind][error.code as KeyringCode]?.hint);
      if (isSilent || !MAY_LACK_DEFAULT.includes(error.code)) return;
      await lookAtDefault(bus, provider, error, (better) => diagnosed = better);
    });
  } catch (fault) {
    if (!(fault instanceof BusError)) throw fault;
  }
  return diagnosed;
}

/** Looks whether the default collection is locked or missing. @param tell gets a better error, and perhaps another one. */
async function lookAtDefault(
  bus: BusConnection,
  { name: destination, kind }: Provider,
  error: RekeyError,
  tell: (better: RekeyError) => void,
): Promise<void> {
  const { keyring_locked, keyring_no_default } = REMEDIES[kind];
  const path = (await bus.ask({ ...READ_DEFAULT, destination }, "o")).objectPath();
  if (path !== "/") {
    if (error.code !== "keyring_failed" || !await isShut(bus, path)) return;
    return tell(withHint(keyringRefusal("keyring_locked", error.cause), keyring_locked.hint));
  }
  const { hint } = keyring_no_default;
  tell(withHint(keyringRefusal("keyring_no_default", error.cause), hint));
  // Another collection may hold a secret of rekey; gnome-keyring always has one of the session.
  const collections = await bus.ask({ ...COLLECTIONS, destination }, "v");
  const paths = collections.variant("ao").objectPaths();
  if (paths.some((path) => !path.endsWith("/session"))) tell(withHint(error, hint));
}

function withHint(error: RekeyError, hint: string | undefined): RekeyError {
  if (hint === undefined) return error;
  return new RekeyError(error.code, error.message, { hint, cause: error.cause });
}
