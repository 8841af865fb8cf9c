import { DBUS, overBus } from "./dbus_connection.ts";
import type { Writer } from "./dbus_wire.ts";
import { BusError } from "./dbus_wire.ts";
import { type BusPlaces, ownBus } from "./session_bus.ts";

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
